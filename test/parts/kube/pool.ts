/**
 * Control planes that are lent to one test file after another: starting one takes much longer than emptying one. A loan is one HTTP request: as long as
 * its body goes on the borrower has the control plane, and when it breaks off the borrower is dead.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ControlPlane, type LentControlPlane, launchPrograms, type Programs, startControlPlane, stopPrograms } from './control-plane.ts';
import { empty, type Fresh, remember } from './emptying.ts';

/** Holds the address at which the global setup lends control planes. */
const POOL_VARIABLE = 'PLINTH_TEST_KUBERNETES_POOL';
/** vitest has two files at work on two cores. */
const MOST_KEPT = 2;

interface Member {
  readonly programs: Programs;
  readonly fresh: Fresh;
}
interface Pool {
  readonly report: (line: string) => void;
  /** So many are kept for the next borrower. */
  readonly most: number;
  /** What runs. */
  readonly all: Set<Programs>;
  /** What nobody has, also what is still being emptied; undefined when that failed. */
  readonly free: Promise<Member | undefined>[];
  isOver: boolean;
}

/**
 * A control plane that nobody else has and that is as new: no kinds, namespaces or roles of anybody, and a uid of kube-system of its own. It has no verbs
 * that kill: who needs them starts one with startControlPlane. Without the global setup it is one of this process.
 */
export async function borrowControlPlane(): Promise<LentControlPlane> {
  const url = process.env[POOL_VARIABLE];
  return url ? await borrowAt(url) : await startControlPlane();
}

/** For the global setup: lends control planes, started when they are first asked for. Sets the variable; returns what ends all. */
export async function offerControlPlanes(report: (line: string) => void): Promise<() => Promise<void>> {
  const { url, end } = await openPool(report);
  process.env[POOL_VARIABLE] = url;
  return end;
}

/** offerControlPlanes without the variable; see borrowAt. */
export async function openPool(report: (line: string) => void, most = MOST_KEPT): Promise<{ readonly url: string; end(): Promise<void> }> {
  const pool: Pool = { report, most, all: new Set(), free: [], isOver: false };
  const server = createServer((asked, answer) => void lend(pool, asked, answer));
  // A loan takes as long as it takes.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const end = async (): Promise<void> => {
    pool.isOver = true;
    server.close();
    server.closeAllConnections();
    await Promise.all([...pool.all].map(programs => stop(pool, programs)));
    await Promise.all(pool.free);
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, end };
}

/** borrowControlPlane from the pool at this address. */
export function borrowAt(url: string): Promise<LentControlPlane> {
  return new Promise((resolve, reject) => {
    const loan = request(url, { method: 'POST', agent: false });
    loan.once('error', reject);
    loan.once('response', answer => {
      let text = '';
      const ended = new Promise<void>(done => answer.once('close', done));
      answer.setEncoding('utf8').on('error', () => undefined);
      answer.on('data', (chunk: string) => {
        text += chunk;
        if (answer.statusCode !== 200 || !text.endsWith('\n')) return;
        loan.on('error', () => undefined);
        // It is there for its end, and keeps no process from ending.
        loan.socket?.unref();
        resolve({ ...(JSON.parse(text) as ControlPlane), stop: () => giveBack(loan, ended) });
      });
      answer.once('end', () => reject(new Error(text)));
    });
    loan.flushHeaders();
  });
}

async function giveBack(loan: ReturnType<typeof request>, ended: Promise<void>): Promise<void> {
  loan.socket?.ref();
  loan.end();
  await ended;
}

async function lend(pool: Pool, asked: IncomingMessage, answer: ServerResponse): Promise<void> {
  const isGivenBack = new Promise<boolean>(resolve => {
    asked.once('end', () => resolve(true)).resume();
    asked.once('error', () => resolve(false));
    answer.once('close', () => resolve(false));
  });
  try {
    const member = await take(pool);
    answer.writeHead(200).write(`${JSON.stringify(member.programs.plane)}\n`);
    // What a dead borrower started may still write: what it had is used no more.
    if (await isGivenBack) takeBack(pool, member);
    else await stop(pool, member.programs);
    answer.end();
  } catch (error) {
    if (!answer.headersSent) answer.writeHead(500);
    answer.end(error instanceof Error ? error.message : String(error));
  }
}

/** Nobody ever waits for somebody else to give back: who asks for a third while two are lent gets a third. */
async function take(pool: Pool): Promise<Member> {
  for (let next = pool.free.shift(); next !== undefined; next = pool.free.shift()) {
    const member = await next;
    if (member !== undefined) return member;
  }
  pool.report('starting a Kubernetes control plane to lend');
  const programs = await launchPrograms();
  pool.all.add(programs);
  try {
    if (pool.isOver) throw new Error('the run is over');
    return { programs, fresh: await remember(programs) };
  } catch (error) {
    await stop(pool, programs);
    throw error;
  }
}

function takeBack(pool: Pool, member: Member): void {
  const { programs, fresh } = member;
  const isKept = !pool.isOver && pool.all.size <= pool.most;
  const fail = async (error: unknown): Promise<undefined> => {
    await stop(pool, programs);
    if (!pool.isOver) pool.report(`a Kubernetes control plane is not used again: ${error instanceof Error ? error.message : String(error)}`);
  };
  if (isKept) pool.free.push(empty(programs, fresh).then(() => member, fail));
  else void stop(pool, programs);
}

async function stop(pool: Pool, programs: Programs): Promise<void> {
  pool.all.delete(programs);
  await stopPrograms(programs);
}
