/** What the PATHs of a command name, as text: files, folders, charts and standard input. */
import { spawnSync } from 'node:child_process';
import { closeSync, type Dirent, existsSync, openSync, readdirSync, readFileSync, readSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../core/errors.ts';

export interface Input {
  /** As messages name it. */
  readonly file: string;
  /** Empty when there are too many. */
  readonly bytes: Buffer;
  /** How many there are. */
  readonly size: number;
  /** The PATH of the command line that it belongs to. */
  readonly path: string;
}

const ENDINGS = /\.(ya?ml|json)$/i;
const MAX_FILES = 10_000;
const HELM_MS = 120_000;
const HELM_BYTES = 64 * 1024 * 1024;
/** One byte more than may be read: enough to say that it is too much. */
const MOST_BYTES = 5 * 1024 * 1024 + 1;

/** Reads everything. Errors: FileNotFound, EmptyInput (a folder without files), ChartFailed, MissingPart, InputTooLarge. */
export async function readInputs(paths: readonly string[]): Promise<Input[]> {
  const inputs: Input[] = [];
  for (const path of paths) inputs.push(...(await readPath(path)));
  return inputs;
}

async function readPath(path: string): Promise<Input[]> {
  if (path === '-') return [inMemory('stdin', await readStdin(), path)];
  const stat = asked(path, () => statSync(path, { throwIfNoEntry: false }) as Stats | undefined);
  if (stat === undefined) throw new EngineError('FileNotFound', `${oneLine(path)} does not exist`);
  if (!stat.isDirectory()) return [readFile(path, path)];
  if (existsSync(join(path, 'Chart.yaml'))) return [inMemory(`${path} (rendered by helm)`, renderChart(path), path)];
  const names = asked(path, (): Dirent[] => readdirSync(path, { withFileTypes: true }))
    .filter(entry => !entry.isDirectory() && ENDINGS.test(entry.name) && !entry.name.startsWith('.'))
    .map(entry => entry.name)
    .sort();
  if (names.length === 0) throw new EngineError('EmptyInput', `${path} holds no *.yaml, *.yml or *.json file`);
  if (names.length > MAX_FILES) throw new EngineError('InputTooLarge', `${path} holds more than ${MAX_FILES} files`);
  return names.map(name => readFile(join(path, name), path));
}

const inMemory = (file: string, bytes: Buffer, path: string): Input => ({ file: oneLine(file), bytes, size: bytes.length, path });

/** A name as one line: what a terminal would obey or break a line at is written as in JSON. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
const oneLine = (name: string): string => name.replace(/[\u0000-\u001f\u007f-\u009f]/g, found => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** What the file system answers; its refusals (no permission, links in a circle, a name too long) as FileNotFound. */
function asked<T>(path: string, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new EngineError('FileNotFound', `${oneLine(path)} cannot be read (${code})`, { cause: error });
  }
}

function readFile(file: string, path: string): Input {
  return asked(file, () => {
    const stat = statSync(file);
    if (!stat.isFile()) return inMemory(file, readPipe(file), path);
    // What is too large is refused by its size: no need to hold it.
    return stat.size >= MOST_BYTES ? { file: oneLine(file), bytes: Buffer.alloc(0), size: stat.size, path } : inMemory(file, readFileSync(file), path);
  });
}

/** A pipe or a device: how much is in it shows only by reading. */
function readPipe(file: string): Buffer {
  const bytes = Buffer.alloc(MOST_BYTES);
  const handle = openSync(file, 'r');
  try {
    let size = 0;
    for (let got = -1; got !== 0 && size < MOST_BYTES; size += got) got = readSync(handle, bytes, size, MOST_BYTES - size, null);
    return bytes.subarray(0, size);
  } finally {
    closeSync(handle);
  }
}

async function readStdin(): Promise<Buffer> {
  if (process.stdin.isTTY) throw new EngineError('BadUse', 'PATH is - and nothing is piped in', { hint: 'e.g. `helm template … | plinth up -`' });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= MOST_BYTES) break;
  }
  return Buffer.concat(chunks);
}

/** The user's own helm, with the name of the chart's folder as release. */
function renderChart(path: string): Buffer {
  const args = ['template', 'plinth', path];
  const run = spawnSync('helm', args, { timeout: HELM_MS, maxBuffer: HELM_BYTES, stdio: ['ignore', 'pipe', 'pipe'] });
  if ((run.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    throw new EngineError('MissingPart', `${path} is a Helm chart, and there is no \`helm\` on this machine`, {
      hint: 'install helm (https://helm.sh/docs/intro/install), or name the files of the rendered chart',
    });
  }
  if (run.error !== undefined || run.status !== 0) {
    const said = run.stderr?.toString().trim().split('\n').at(-1) || run.error?.message || 'no output';
    throw new EngineError('ChartFailed', `helm could not render ${path}: ${said}`, { hint: `run \`helm ${args.join(' ')}\` to see the whole message` });
  }
  return run.stdout;
}
