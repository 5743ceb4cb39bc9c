import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { cacheFolder, oneAtATime } from '../../../src/cli/emulator-venv.ts';
import { programPath } from '../kube/binaries.ts';
import { writeImage } from './images.ts';

/** Names of the images that every node of the tests has. */
export const IMAGES = { pause: 'localhost/pause:1', coredns: 'localhost/coredns:1', node: `localhost/node:${process.versions.node}` } as const;

const ENV = ['PATH=/usr/local/bin:/usr/bin', 'LANG=C.UTF-8', 'HOME=/home/app'];

/** The images that every node has, as archives in the cache folder, made when they are not there (a second or two). */
export async function baseImages(report: (line: string) => void): Promise<string[]> {
  return [
    await cached('pause-1.tar', report, path => single(path, IMAGES.pause, 'pause', '65535:65535')),
    await cached('coredns-1.tar', report, path => single(path, IMAGES.coredns, 'coredns', '0:0')),
    await cached(`node-${process.versions.node}.tar`, report, async path => {
      const layers = [await nodeLayer(report)];
      await writeImage(path, { name: IMAGES.node, layers, config: { Env: ENV, Cmd: ['node'], WorkingDir: '/app', User: '1000:1000' } });
    }),
  ];
}

/**
 * Makes the image of a Node program: Node as it runs here, and the folder as /app. `command` is what is started (`['node', '/app/main.mjs']`).
 * Returns `target`.
 */
export async function writeNodeImage(
  target: string,
  options: { readonly name: string; readonly folder: string; readonly command: readonly string[] },
): Promise<string> {
  const app = `${target}.app`;
  rmSync(app, { recursive: true, force: true });
  cpSync(options.folder, join(app, 'app'), { recursive: true, dereference: true });
  try {
    const layers = [await nodeLayer(() => {}), app];
    const config = { Env: ENV, Entrypoint: options.command, WorkingDir: '/app', User: '1000:1000' };
    return await writeImage(target, { name: options.name, layers, config });
  } finally {
    rmSync(app, { recursive: true, force: true });
  }
}

/** A root folder with Node, a shell and the libraries they need, taken from this machine. Kept in the cache folder. */
async function nodeLayer(report: (line: string) => void): Promise<string> {
  const folder = join(imagesFolder(), `node-${process.versions.node}-root`);
  await oneAtATime(
    folder,
    () => existsSync(folder),
    report,
    async () => {
      const work = `${folder}.${process.pid}`;
      rmSync(work, { recursive: true, force: true });
      skeleton(work);
      addProgram(work, process.execPath, 'node');
      addProgram(work, '/bin/sh', 'sh');
      renameSync(work, folder);
    },
  );
  return folder;
}

async function single(path: string, name: string, program: 'pause' | 'coredns', user: string): Promise<void> {
  const folder = `${path}.root`;
  mkdirSync(folder, { recursive: true });
  copyFileSync(programPath(program), join(folder, program));
  chmodSync(join(folder, program), 0o755);
  await writeImage(path, { name, layers: [folder], config: { Entrypoint: [`/${program}`], User: user } });
  rmSync(folder, { recursive: true, force: true });
}

async function cached(name: string, report: (line: string) => void, make: (path: string) => Promise<void>): Promise<string> {
  const path = join(imagesFolder(), name);
  await oneAtATime(
    path,
    () => existsSync(path),
    report,
    async () => {
      report(`making the image ${name}`);
      await make(path);
    },
  );
  return path;
}

function imagesFolder(): string {
  return join(cacheFolder(), 'images');
}

function skeleton(root: string): void {
  for (const name of ['usr/bin', 'usr/lib', 'usr/lib64', 'etc', 'proc', 'sys', 'dev', 'tmp', 'run', 'app', 'home/app'])
    mkdirSync(join(root, name), { recursive: true });
  for (const name of ['bin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name));
  chmodSync(join(root, 'tmp'), 0o1777);
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\napp:x:1000:\n');
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files dns\n');
}

function addProgram(root: string, path: string, name: string): void {
  const target = join(root, 'usr/bin', name);
  copyFileSync(realpathSync(path), target);
  chmodSync(target, 0o755);
  const needed = execFileSync('ldd', [realpathSync(path)], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g);
  for (const [, library = ''] of needed) {
    const place = join(root, library);
    mkdirSync(dirname(place), { recursive: true });
    if (!existsSync(place)) copyFileSync(realpathSync(library), join(dirname(place), basename(library)));
  }
}
