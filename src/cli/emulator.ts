import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MINISTACK_PYTHON, MINISTACK_REQUIREMENTS, MINISTACK_VERSION } from './emulator-pins.ts';
import { processStartTime, stopProcess } from './emulator-process.ts';
import { installVenv, type VenvSpec } from './emulator-venv.ts';

/** How a server program is to be started; see startServer. */
export interface ServerSpec {
  /** What people call it, for messages. */
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Its whole environment beyond the few inherited variables of `serverEnv`, given the port. */
  readonly env: (port: number) => Record<string, string>;
  /** Absent: a free one. */
  readonly port?: number;
  readonly logFile: string;
  /** True: it goes on running after this process ended, in a process group of its own. False: it ends with this process. */
  readonly detached: boolean;
  /** How long it may take until it answers, in milliseconds. */
  readonly boundMs: number;
  readonly report?: (line: string) => void;
  /** Called as soon as the process exists, before it answers: the place to write its pid down. */
  readonly onSpawn?: (server: RunningServer) => void;
}

/** A server that answers. `startTime` goes with the pid when it is to be stopped by another process (see stopProcess). */
export interface RunningServer {
  readonly pid: number;
  readonly startTime: string | undefined;
  readonly port: number;
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string;
  /** Ends it, by pid; safe to call again. */
  stop(): Promise<void>;
}

/** Options of startMiniStack; `env` is added to its environment (PERSIST_STATE, STATE_DIR and the like). */
export interface MiniStackOptions {
  readonly port?: number;
  readonly logFile: string;
  readonly detached: boolean;
  readonly env?: Record<string, string>;
  readonly report?: (line: string) => void;
  readonly onSpawn?: (server: RunningServer) => void;
}

const HEALTH_MS = 500;
const TICK_MS = 3_000;
const START_MS = 60_000;
const LOG_TAIL_CHARACTERS = 2_000;

/** What is installed for MiniStack, and with which Python. */
export const MINISTACK: VenvSpec = {
  name: `ministack-${MINISTACK_VERSION}`,
  requirements: MINISTACK_REQUIREMENTS,
  pythons: ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10'],
  minimum: MINISTACK_PYTHON,
  cure: 'install python3 (with its venv module), or pass --endpoint URL of a running AWS-compatible endpoint',
};

/**
 * Installs MiniStack, pinned with everything it depends on, into the cache folder unless it is there, and returns the path of its executable.
 * Safe to call from two processes at once. Throws Error with a text for the user when Python is missing or pip fails.
 */
export async function installMiniStack(report: (line: string) => void): Promise<string> {
  return join(await installVenv(MINISTACK, report), 'bin', 'ministack');
}

/**
 * Starts MiniStack (installing it first if need be) on 127.0.0.1 and returns when it answers, at most 60 s later.
 * Throws Error with the end of its log when it does not.
 */
export async function startMiniStack(options: MiniStackOptions): Promise<RunningServer> {
  const command = await installMiniStack(options.report ?? (() => {}));
  const { env, ...rest } = options;
  return startServer({
    ...rest,
    title: `MiniStack ${MINISTACK_VERSION}`,
    command,
    args: [],
    // MQTT and SFTP would open ports of their own, which nothing here uses.
    env: port => ({ BIND_HOST: '127.0.0.1', GATEWAY_PORT: String(port), IOT_MTLS_ENABLED: '0', SFTP_ENABLED: '0', ...env }),
    boundMs: START_MS,
  });
}

/** Whether an emulator (MiniStack or LocalStack) answers at `endpoint` within 500 ms. Never throws. */
export async function isHealthy(endpoint: string): Promise<boolean> {
  const signal = AbortSignal.timeout(HEALTH_MS);
  const ask = async (path: string): Promise<boolean> => {
    const answer = await fetch(new URL(path, endpoint), { signal });
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return true;
  };
  try {
    return await Promise.any([ask('/_ministack/health'), ask('/_localstack/health')]);
  } catch {
    return false;
  }
}

/**
 * Starts a server program and returns when it answers health checks. Its output goes to the log file.
 * Throws Error when the port asked for is in use, and with the end of the log when it ends early or does not answer in time;
 * then nothing is left running.
 */
export async function startServer(spec: ServerSpec): Promise<RunningServer> {
  // A server that answers there already would pass for ours; MiniStack itself would even share the port with it (SO_REUSEPORT).
  if (spec.port !== undefined && !(await isPortFree(spec.port))) throw new Error(`${spec.title} cannot start: port ${spec.port} of 127.0.0.1 is in use`);
  for (let attempt = 1; ; attempt++) {
    const port = spec.port ?? (await freePort());
    try {
      return await startOnce(spec, port);
    } catch (error) {
      // Between finding a free port and binding it another process may take it: try with another, but never instead of a port asked for.
      if (spec.port !== undefined || attempt === 3 || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

async function startOnce(spec: ServerSpec, port: number): Promise<RunningServer> {
  mkdirSync(dirname(spec.logFile), { recursive: true });
  const log = openSync(spec.logFile, 'w');
  const child = spawn(spec.command, spec.args, { env: serverEnv(spec.env(port)), stdio: ['ignore', log, log], detached: spec.detached });
  closeSync(log);
  let ended: string | undefined;
  child.once('error', error => {
    ended = `could not be started: ${error.message}`;
  });
  child.once('exit', (code, signal) => {
    ended = `ended with ${code ?? signal}`;
  });
  const server = runningServer(child.pid ?? 0, port);
  const endWithUs = () => void child.kill('SIGTERM');
  if (child.pid !== undefined) spec.onSpawn?.(server);
  if (spec.detached) child.unref();
  else process.once('exit', endWithUs);
  child.once('exit', () => process.off('exit', endWithUs));
  const problem = await waitUntilHealthy(spec, server.endpoint, () => ended);
  if (problem === undefined) return server;
  if (child.pid !== undefined) await server.stop();
  throw new Error(`${spec.title} ${problem}. End of ${spec.logFile}:\n${logTail(spec.logFile)}`);
}

/** Undefined when the server answers, else what is wrong. `ended`: why it cannot answer any more. */
export async function waitUntilHealthy(
  spec: Pick<ServerSpec, 'title' | 'boundMs' | 'report'>,
  endpoint: string,
  ended: () => string | undefined,
): Promise<string | undefined> {
  const started = Date.now();
  for (let said = 0; ; await sleep(50)) {
    const end = ended();
    if (end !== undefined) return end;
    if (await isHealthy(endpoint)) return ended();
    const waited = Date.now() - started;
    if (waited > spec.boundMs) return `did not answer at ${endpoint} within ${Math.round(spec.boundMs / 1000)} s`;
    if (waited - said > TICK_MS) {
      said = waited;
      spec.report?.(`waiting for ${spec.title} at ${endpoint} (${Math.round(waited / 1000)} s)`);
    }
  }
}

function runningServer(pid: number, port: number): RunningServer {
  const startTime = pid > 0 ? processStartTime(pid) : undefined;
  const stop = async () => {
    if (!(await stopProcess(pid, startTime))) throw new Error(`process ${pid} did not end`);
  };
  return { pid, startTime, port, endpoint: `http://127.0.0.1:${port}`, stop };
}

/** A port of 127.0.0.1 that nothing listens on now. */
export function freePort(): Promise<number> {
  return listenOnce(0);
}

async function isPortFree(port: number): Promise<boolean> {
  try {
    return (await listenOnce(port)) === port;
  } catch {
    return false;
  }
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      const bound = typeof address === 'object' && address ? address.port : 0;
      server.close(() => resolve(bound));
    });
  });
}

/** Few variables are inherited: proxies, AWS_CA_BUNDLE and credentials of the user mean nothing good to an emulator. */
function serverEnv(extra: Record<string, string>): Record<string, string> {
  const kept = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TMPDIR', 'TZ', 'LD_LIBRARY_PATH', 'JAVA_HOME'];
  const inherited = kept.flatMap(name => (process.env[name] === undefined ? [] : [[name, process.env[name]] as const]));
  return { ...Object.fromEntries(inherited), PYTHONUNBUFFERED: '1', ...extra };
}

function logTail(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-LOG_TAIL_CHARACTERS).trim();
  } catch {
    return '(no log)';
  }
}

export { isProcessAlive, processStartTime, stopProcess } from './emulator-process.ts';
