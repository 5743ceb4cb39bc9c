/** The file layer of the child, with a count: the child kills itself before or right after the n-th file of the state that it writes or removes. */
import * as disk from '../../src/engine/files-disk.ts';
import { classOfFile } from './classes.ts';
import type { Point } from './life.ts';

export * from '../../src/engine/files-disk.ts';

/** Where to die; nowhere without the variable. */
const point = JSON.parse(process.env['PLINTH_KILL_WRITE'] ?? 'null') as Point | null;
const done: string[] = [];
let count = 0;

/** The classes of all writes so far. */
export function writes(): readonly string[] {
  return done;
}

async function counted(of: string, write: () => Promise<void>): Promise<void> {
  done.push(of);
  const isIt = point !== null && (point.of === undefined || point.of === of) && ++count === point.index;
  if (isIt && point.when === 'before') await die();
  await write();
  if (isIt && point.when === 'after') await die();
}

function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}

/** As the real one. What can be made again from other files (`durable` false) is not counted. */
export const replaceFile: typeof disk.replaceFile = (root, path, text, replacing = {}) => {
  const write = () => disk.replaceFile(root, path, text, replacing);
  return replacing.durable === false ? write() : counted(classOfFile('write', path, text), write);
};

/** As the real one. */
export const removeFile: typeof disk.removeFile = (root, path, onRemoved) => counted(classOfFile('remove', path), () => disk.removeFile(root, path, onRemoved));
