import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { installMiniStack, isHealthy, MINISTACK, type RunningServer, startMiniStack } from '../../src/cli/emulator.ts';
import { findPython, findVenv } from '../../src/cli/emulator-venv.ts';
import { CONTROL_PLANE, findProgram, installPrograms, NODE, type ProgramName } from './kube/binaries.ts';
import { hasOpenssl } from './kube/certificates.ts';
import { installLocalStack, isLocalStackInstalled, missingForLocalStack, startLocalStack } from './localstack.ts';
import { nodeProblem } from './node/problem.ts';
import { endDeadRuns, endRunWithThisProcess, recordServer, runFolder } from './runs.ts';
import { ask } from './starter.ts';

export type EmulatorName = 'ministack' | 'localstack';
/** Every real part, in the order in which they are installed and named. */
export const PARTS = ['ministack', 'localstack', 'kubernetes', 'helm3', 'helm4', 'node'] as const;
export type PartName = (typeof PARTS)[number];

/** An AWS-compatible endpoint for tests. */
export interface Emulator {
  readonly name: EmulatorName;
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string;
}

/** Whether a part can be used by tests on this machine. `reason` and `cure` are empty when it can. */
export interface Part {
  readonly name: PartName;
  readonly available: boolean;
  /** Switched off by the user, which excuses its absence even in CI. */
  readonly off: boolean;
  readonly reason: string;
  readonly cure: string;
}

/** The variable that holds the endpoint of a running emulator, and the one that switches a part off with the value `off`. */
export const ENDPOINT_VARIABLE = { ministack: 'PLINTH_TEST_MINISTACK_ENDPOINT', localstack: 'PLINTH_TEST_LOCALSTACK_ENDPOINT' } as const;
/** Where the global setup starts one at the first question. */
export const STARTER_VARIABLE = { ministack: 'PLINTH_TEST_MINISTACK_STARTER', localstack: 'PLINTH_TEST_LOCALSTACK_STARTER' } as const;
export const SWITCH_VARIABLE = {
  ministack: 'PLINTH_TEST_MINISTACK',
  localstack: 'PLINTH_TEST_LOCALSTACK',
  kubernetes: 'PLINTH_TEST_KUBERNETES',
  helm3: 'PLINTH_TEST_HELM3',
  helm4: 'PLINTH_TEST_HELM4',
  node: 'PLINTH_TEST_NODE',
} as const satisfies Record<PartName, string>;

const INSTALL_COMMAND = 'npx tsx test/parts/install.ts';
/** How long a test may wait for a server that the global setup is still starting. */
const READY_MS = 150_000;

const starting = new Map<EmulatorName, Promise<Emulator>>();

/** MiniStack, the default for tests: the one of the global setup, else one of this worker process. Installed first if need be (about 10 s). */
export function miniStack(): Promise<Emulator> {
  return emulator('ministack');
}

/** LocalStack, the stricter second opinion: the one of the global setup, else one of this worker process. */
export function localStack(): Promise<Emulator> {
  return emulator('localstack');
}

/** A fresh access key of 12 digits: emulators take it for the account, so each test has an empty cloud of its own. */
export function account(): string {
  return String(randomInt(100_000_000_000, 999_999_999_999));
}

/**
 * What each part's state is. Throws Error when CI=true and a part is missing that nobody switched off:
 * a check that silently did not run is worse than one that failed.
 */
export function parts(): readonly Part[] {
  const found = PARTS.map(inspectPart);
  const missing = found.filter(part => !part.available && !part.off);
  if (process.env['CI'] === 'true' && missing.length > 0) {
    throw new Error(missing.map(part => `${part.name} is missing in CI: ${part.reason}. ${part.cure}`).join('\n'));
  }
  return found;
}

/** One part, by the rules of parts(). For `test.skipIf(!part('localstack').available)`. */
export function part(name: PartName): Part {
  const found = inspectPart(name);
  if (process.env['CI'] === 'true' && !found.available && !found.off) throw new Error(`${name} is missing in CI: ${found.reason}. ${found.cure}`);
  return found;
}

/** What the state of one part is; never throws and starts no server. */
export function inspectPart(name: PartName): Part {
  const variable = SWITCH_VARIABLE[name];
  if (process.env[variable] === 'off') return { name, available: false, off: true, reason: `switched off by ${variable}`, cure: `unset ${variable}` };
  const problem = isEmulator(name) && process.env[ENDPOINT_VARIABLE[name]] ? undefined : problemOf(name);
  return { name, available: problem === undefined, off: false, reason: problem?.reason ?? '', cure: problem?.cure ?? '' };
}

/** Whether a part is an emulator, of which the global setup starts one for the whole run. */
export function isEmulator(name: PartName): name is EmulatorName {
  return name in ENDPOINT_VARIABLE;
}

/** Starts one emulator for this process and writes its pid down. The caller ends it with endRun(runFolder()). */
export async function startPart(name: EmulatorName, report: (line: string) => void, port?: number): Promise<RunningServer> {
  const folder = runFolder();
  const onSpawn = (server: RunningServer) => recordServer(name, server);
  const options = { report, onSpawn, ...(port === undefined ? {} : { port }) };
  if (name === 'localstack') return startLocalStack({ ...options, runFolder: folder });
  return startMiniStack({ ...options, logFile: join(folder, 'ministack.log'), detached: false });
}

/** Installs one part unless it is there. Throws Error when it cannot be. */
export async function ensureInstalled(name: PartName, report: (line: string) => void): Promise<void> {
  if (name === 'ministack') await installMiniStack(report);
  else if (name === 'localstack') await installLocalStack(report);
  else if (name !== 'node' || process.platform === 'linux') await installPrograms(PROGRAMS_OF[name], report);
}

const PROGRAMS_OF = { kubernetes: CONTROL_PLANE, helm3: ['helm3'], helm4: ['helm4'], node: [...CONTROL_PLANE, ...NODE] } as const satisfies Record<
  string,
  readonly ProgramName[]
>;

function problemOf(name: PartName): { reason: string; cure: string } | undefined {
  if (!isEmulator(name)) return programProblem(name);
  if (name === 'ministack') {
    if (findVenv(MINISTACK) || findPython(MINISTACK.pythons, MINISTACK.minimum)) return undefined;
    return { reason: `no Python ${MINISTACK.minimum.join('.')} or newer`, cure: 'Install python3 with its venv module.' };
  }
  if (isLocalStackInstalled()) return undefined;
  const missing = missingForLocalStack();
  return missing
    ? { reason: `${missing} is missing`, cure: `Install it, then run ${INSTALL_COMMAND}.` }
    : { reason: 'not installed', cure: `Run ${INSTALL_COMMAND}.` };
}

function programProblem(name: keyof typeof PROGRAMS_OF): { reason: string; cure: string } | undefined {
  if (name === 'node') return nodeProblem(INSTALL_COMMAND);
  if (name === 'kubernetes' && !hasOpenssl()) return { reason: 'openssl is missing', cure: 'Install openssl.' };
  const missing = PROGRAMS_OF[name].filter(program => findProgram(program) === undefined);
  if (missing.length === 0) return undefined;
  return { reason: `${missing.join(', ')} not installed`, cure: `Run ${INSTALL_COMMAND}, which needs Go or a download, or set KUBEBUILDER_ASSETS.` };
}

function emulator(name: EmulatorName): Promise<Emulator> {
  const known = starting.get(name) ?? find(name);
  starting.set(name, known);
  return known;
}

async function find(name: EmulatorName): Promise<Emulator> {
  const found = inspectPart(name);
  if (!found.available) throw new Error(`${name} cannot be used: ${found.reason}. ${found.cure}`);
  const endpoint = process.env[ENDPOINT_VARIABLE[name]];
  if (endpoint) {
    await waitForEndpoint(name, endpoint);
    return { name, endpoint };
  }
  const starter = process.env[STARTER_VARIABLE[name]];
  if (starter) return await ask<Emulator>(starter);
  await endDeadRuns(() => {});
  const server = await startPart(name, () => {});
  endRunWithThisProcess();
  return { name, endpoint: server.endpoint };
}

async function waitForEndpoint(name: EmulatorName, endpoint: string): Promise<void> {
  const until = Date.now() + READY_MS;
  while (!(await isHealthy(endpoint))) {
    if (Date.now() > until) throw new Error(`${name} at ${endpoint} does not answer`);
    await sleep(100);
  }
}
