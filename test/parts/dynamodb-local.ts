import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, runStep } from '../../src/cli/emulator-venv.ts';

const SOURCES = join(import.meta.dirname, '../../localstack/dynamodb-local');
const MAIN_CLASS = 'software.amazon.dynamodb.services.local.main.ServerRunner';
/** LocalStack looks for Java under this name; any Java from 17 on serves. */
const JAVA_LINK = '21';
const MINIMUM_JAVA = 17;

/**
 * The folder whose `lib` LocalStack takes for its own downloads (`java/21`, `dynamodb-local/2`); undefined when it was not made yet or its Java is gone.
 */
export function findDynamoDbLocal(): string | undefined {
  const folder = targetFolder();
  return existsSync(join(folder, 'lib', 'java', JAVA_LINK, 'bin', 'java')) ? folder : undefined;
}

/** What this machine lacks for installDynamoDbLocal, as a text; undefined when nothing. */
export function missingJavaTools(): string | undefined {
  const home = javaHome();
  if (!home) return `Java ${MINIMUM_JAVA} or newer`;
  const tools = ['mvn', 'javac', 'jar'].filter(tool => spawnSync(tool, ['--version'], { timeout: 30_000 }).status !== 0);
  return tools.length > 0 ? tools.join(', ') : undefined;
}

/**
 * Fetches the jars of DynamoDB Local with Maven into the cache folder, laid out for LocalStack, unless they are there. Returns the folder.
 * Throws Error naming the missing tools, or with the last lines of the step that failed.
 */
export async function installDynamoDbLocal(report: (line: string) => void): Promise<string> {
  const found = findDynamoDbLocal();
  if (found) return found;
  const missing = missingJavaTools();
  if (missing) throw new Error(`DynamoDB Local needs ${missing} on PATH`);
  const folder = targetFolder();
  const work = `${folder}.build-${process.pid}`;
  rmSync(work, { recursive: true, force: true });
  await build(work, report);
  rmSync(folder, { recursive: true, force: true });
  renameSync(work, folder);
  return folder;
}

function targetFolder(): string {
  const sources = ['pom.xml', 'EmptyAgent.java'].map(name => readFileSync(join(SOURCES, name), 'utf8'));
  return join(cacheFolder(), `dynamodb-local-${createHash('sha256').update(sources.join('\0')).digest('hex').slice(0, 8)}`);
}

async function build(work: string, report: (line: string) => void): Promise<void> {
  const server = join(work, 'lib', 'dynamodb-local', '2');
  const jars = join(server, 'DynamoDBLocal_lib');
  mkdirSync(jars, { recursive: true });
  report('fetching the jars of DynamoDB Local with Maven');
  const maven = ['-q', '-B', '-f', join(SOURCES, 'pom.xml'), 'dependency:copy-dependencies', `-DoutputDirectory=${jars}`, '-DincludeScope=runtime'];
  await runStep('fetching the jars of DynamoDB Local', 'mvn', maven, report);
  const names = readdirSync(jars).filter(name => name.endsWith('.jar'));
  const classPath = names.map(name => `DynamoDBLocal_lib/${name}`).join(' ');
  await makeJar(work, join(server, 'DynamoDBLocal.jar'), [`Main-Class: ${MAIN_CLASS}`, `Class-Path: ${classPath}`], [], report);
  copyFileSync(join(SOURCES, 'EmptyAgent.java'), join(work, 'EmptyAgent.java'));
  await runStep('compiling the empty agent', 'javac', ['-d', work, join(work, 'EmptyAgent.java')], report);
  await makeJar(work, join(server, 'ddb-local-loader-0.1.jar'), ['Premain-Class: EmptyAgent'], ['EmptyAgent.class'], report);
  mkdirSync(join(work, 'lib', 'java'));
  symlinkSync(javaHome() ?? '', join(work, 'lib', 'java', JAVA_LINK));
}

async function makeJar(work: string, jar: string, manifest: readonly string[], files: readonly string[], report: (line: string) => void): Promise<void> {
  const path = join(work, 'manifest.txt');
  writeFileSync(path, `${manifest.map(foldManifestLine).join('\n')}\n`);
  await runStep(`making ${jar}`, 'jar', ['cfm', jar, path, ...files], report, work);
}

/** A manifest line holds at most 72 bytes; a longer one goes on in lines that start with a blank. */
function foldManifestLine(line: string): string {
  const pieces = line.slice(70).match(/.{1,69}/g) ?? [];
  return [line.slice(0, 70), ...pieces.map(piece => ` ${piece}`)].join('\n');
}

/** Asked of Java itself: on PATH stands a link to a link, or on macOS a stub. */
function javaHome(): string | undefined {
  const probe = spawnSync('java', ['-XshowSettings:properties', '-version'], { encoding: 'utf8', timeout: 30_000 });
  const text = `${probe.stdout ?? ''}${probe.stderr ?? ''}`;
  const version = Number(/java\.specification\.version = (\d+)/.exec(text)?.[1] ?? 0);
  return version >= MINIMUM_JAVA ? /java\.home = (.+)/.exec(text)?.[1]?.trim() : undefined;
}
