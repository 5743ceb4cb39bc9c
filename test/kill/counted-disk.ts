/** The file layer of the child, with a count: the child kills itself before or right after the n-th file of the state that it writes or removes. */
import * as disk from '../../src/engine/files-disk.ts';

export * from '../../src/engine/files-disk.ts';

/** `before 12`, `after 3`: of which write, counted from 1. */
const [when = '', at = ''] = (process.env['PLINTH_KILL_WRITE'] ?? '').split(' ');
let count = 0;

/** How many writes there were so far. */
export function writes(): number {
  return count;
}

async function counted(write: () => Promise<void>): Promise<void> {
  count += 1;
  const isIt = count === Number(at);
  if (isIt && when === 'before') await die();
  await write();
  if (isIt && when === 'after') await die();
}

function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}

/** As the real one. What can be made again from other files (`durable` false) is not counted. */
export const replaceFile: typeof disk.replaceFile = (root, path, text, replacing = {}) => {
  const write = () => disk.replaceFile(root, path, text, replacing);
  return replacing.durable === false ? write() : counted(write);
};

/** As the real one. */
export const removeFile: typeof disk.removeFile = (root, path, onRemoved) => counted(() => disk.removeFile(root, path, onRemoved));
