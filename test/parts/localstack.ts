import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type RunningServer, startServer } from '../../src/cli/emulator.ts';
import { cacheFolder, findPython, findVenv, installVenv, type VenvSpec } from '../../src/cli/emulator-venv.ts';
import { findDynamoDbLocal, installDynamoDbLocal, missingJavaTools } from './dynamodb-local.ts';

/** The last LocalStack release that starts without a token. */
export const LOCALSTACK_VERSION = '4.14.0';
/** What is started of it. KMS is there because encrypted buckets and tables answer 500 without it. */
export const LOCALSTACK_SERVICES = 'sqs,sns,s3,dynamodb,iam,sts,kms,resourcegroupstaggingapi';

const START_MS = 120_000;
const WARM_MS = 60_000;
const MINIMUM_PYTHON = [3, 12] as const;

/** What is installed for LocalStack. The constraints are read from `localstack/localstack-constraints.txt`. */
export function localStackVenv(): VenvSpec {
  const file = join(import.meta.dirname, '../../localstack/localstack-constraints.txt');
  const constraints = readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'));
  return {
    name: `localstack-${LOCALSTACK_VERSION}`,
    requirements: [`localstack-core[runtime]==${LOCALSTACK_VERSION}`],
    constraints,
    pythons: pythonCandidates(),
    minimum: MINIMUM_PYTHON,
    cure: 'install python3.13 (with its venv module) and put it on PATH',
  };
}

/** Whether LocalStack and the jars for its DynamoDB are installed. */
export function isLocalStackInstalled(): boolean {
  return findVenv(localStackVenv()) !== undefined && findDynamoDbLocal() !== undefined;
}

/** What this machine lacks for installing LocalStack, as a text; undefined when nothing. */
export function missingForLocalStack(): string | undefined {
  const venv = localStackVenv();
  if (!findVenv(venv) && !findPython(venv.pythons, venv.minimum)) return 'Python 3.12 or 3.13';
  return findDynamoDbLocal() ? undefined : missingJavaTools();
}

/** Installs LocalStack and DynamoDB Local into the cache folder unless they are there (about 90 s and 0.6 GB). */
export async function installLocalStack(report: (line: string) => void): Promise<void> {
  await installVenv(localStackVenv(), report);
  await installDynamoDbLocal(report);
}

/** How startLocalStack is called; `runFolder` is for what this one process writes and goes when it ends. */
export interface LocalStackOptions {
  readonly runFolder: string;
  readonly port?: number;
  readonly report?: (line: string) => void;
  readonly onSpawn?: (server: RunningServer) => void;
}

/**
 * Starts LocalStack on 127.0.0.1 (it must be installed) and returns when DynamoDB, its slowest service, answers too; at most 120 s later.
 * Throws Error with the end of its log when it does not. It runs a java process of its own: see endRun in runs.ts.
 */
export async function startLocalStack(options: LocalStackOptions): Promise<RunningServer> {
  const venv = findVenv(localStackVenv());
  const jars = findDynamoDbLocal();
  if (!venv || !jars) throw new Error('LocalStack is not installed: run npx tsx test/parts/install.ts');
  const { runFolder, ...rest } = options;
  const root = join(runFolder, 'localstack');
  seed(root, jars);
  const server = await startServer({
    ...rest,
    title: `LocalStack ${LOCALSTACK_VERSION}`,
    command: join(venv, 'bin', 'python'),
    args: ['-m', 'localstack.runtime.main'],
    env: port => localStackEnv(root, port),
    logFile: join(runFolder, 'localstack.log'),
    detached: false,
    boundMs: START_MS,
  });
  await warmDynamoDb(server.endpoint);
  return server;
}

function localStackEnv(root: string, port: number): Record<string, string> {
  return {
    // Inside any container it would otherwise take itself for its own image and use the paths of that.
    OVERRIDE_IN_DOCKER: '0',
    FILESYSTEM_ROOT: root,
    GATEWAY_LISTEN: `127.0.0.1:${port}`,
    LOCALSTACK_HOST: `localhost:${port}`,
    // The default server listens on every interface whatever GATEWAY_LISTEN says.
    GATEWAY_SERVER: 'hypercorn',
    DNS_ADDRESS: '0',
    SKIP_SSL_CERT_DOWNLOAD: '1',
    DISABLE_EVENTS: '1',
    SQS_ENDPOINT_STRATEGY: 'path',
    EAGER_SERVICE_LOADING: '1',
    DYNAMODB_IN_MEMORY: '1',
    DDB_LOCAL_TELEMETRY: '0',
    SERVICES: LOCALSTACK_SERVICES,
  };
}

/** Puts the installed jars where LocalStack looks for its own downloads, and lets runs share its cache of parsed service descriptions. */
function seed(root: string, jars: string): void {
  const state = join(root, 'var', 'lib', 'localstack');
  const cache = join(cacheFolder(), `localstack-${LOCALSTACK_VERSION}-cache`);
  mkdirSync(state, { recursive: true });
  mkdirSync(cache, { recursive: true });
  for (const [name, target] of [
    ['lib', join(jars, 'lib')],
    ['cache', cache],
  ] as const) {
    if (!existsSync(join(state, name))) symlinkSync(target, join(state, name));
  }
}

async function warmDynamoDb(endpoint: string): Promise<void> {
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: {
      authorization: 'AWS4-HMAC-SHA256 Credential=111111111111/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': 'DynamoDB_20120810.ListTables',
    },
    body: '{}',
    signal: AbortSignal.timeout(WARM_MS),
  });
  const body = await answer.text();
  if (!answer.ok) throw new Error(`DynamoDB of LocalStack answers ${answer.status}: ${body.slice(0, 500)}`);
}

/** LocalStack does not run on Python below 3.12 and was not tried above 3.13. */
function pythonCandidates(): string[] {
  const names = ['python3.13', 'python3.12'];
  const versions = join(process.env['PYENV_ROOT'] ?? join(homedir(), '.pyenv'), 'versions');
  const installed = existsSync(versions) ? readdirSync(versions).sort().reverse() : [];
  const ofPyenv = installed.filter(version => /^3\.1[23]\./.test(version)).map(version => join(versions, version, 'bin', 'python'));
  return [...names, ...ofPyenv];
}
