import { spawn } from 'node:child_process';
import { programPath } from './binaries.ts';

/** How a program is run: against which cluster, with what on standard input, and for how long at most (default 10 min: as long as anybody would wait). */
export interface RunOptions {
  readonly kubeconfig: string;
  readonly input?: string;
  readonly env?: Record<string, string>;
  readonly timeoutMs?: number;
}

/** What a program said. `code` is null when it was ended because it took too long. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

type Tool = 'kubectl' | 'helm3' | 'helm4';

const TIMEOUT_MS = 600_000;

/** Runs kubectl and returns what it printed. Throws Error with what it said when it fails. */
export function kubectl(options: RunOptions, ...args: readonly string[]): Promise<string> {
  return succeed('kubectl', options, args);
}

/** Runs helm 3 or 4 and returns what it printed. Throws Error with what it said when it fails. */
export function helm(version: 3 | 4, options: RunOptions, ...args: readonly string[]): Promise<string> {
  return succeed(`helm${version}`, options, args);
}

/** Runs a program to its end, whatever it says. */
export function runTool(tool: Tool, options: RunOptions, args: readonly string[]): Promise<Ran> {
  const { kubeconfig, input = '', timeoutMs = TIMEOUT_MS } = options;
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], KUBECONFIG: kubeconfig, ...options.env };
  const child = spawn(programPath(tool), [...args], { env, stdio: ['pipe', 'pipe', 'pipe'], timeout: timeoutMs, killSignal: 'SIGKILL' });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  // A program that ends without reading its input breaks the pipe; its code says what happened.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }));
  });
}

async function succeed(tool: Tool, options: RunOptions, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runTool(tool, options, args);
  if (code !== 0) throw new Error(`${tool} ${args.join(' ')} ended with ${code ?? 'a timeout'}: ${stderr.trim() || stdout.trim()}`);
  return stdout;
}
