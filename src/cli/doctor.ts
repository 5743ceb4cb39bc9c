/** `plinth doctor`: what is here, what is missing, and how to get it. Starts and changes nothing. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { EngineError } from '../core/errors.ts';
import { isHealthy, MINISTACK } from './emulator.ts';
import { cacheFolder, findPython, findVenv } from './emulator-venv.ts';
import { answers, readNote } from './endpoint.ts';
import type { Finding } from './finding.ts';
import { isCluster } from './home.ts';
import type { Context, ExitCode } from './host.ts';
import { columns, tell } from './output.ts';
import { closeProject, openProject } from './project.ts';
import { recall, stateHome } from './remember.ts';

/** Runs the command: 1 when something that `up`, or a controller in the cluster named, needs is missing. */
export async function runDoctor(context: Context): Promise<ExitCode> {
  const findings = isCluster(context.globals)
    ? await (await import('./doctor-cluster.ts')).clusterFindings(context)
    : [nodeVersion(), python(), ministack(), helm(), await endpoint(context), await stateFolder(context), home(), ...(await providers(context))];
  const { green, yellow, red, dim } = context.out.colours;
  const marks = { ok: green('✓'), absent: yellow('○'), missing: red('✗') };
  await tell(context.out, { findings }, () =>
    columns([['  PART', 'SAYS', 'HOW TO GET IT'], ...findings.map(({ part, state, says, cure }) => [`${marks[state]} ${part}`, says, cure])], dim),
  );
  return findings.some(finding => finding.state === 'missing') ? 1 : 0;
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isFine = major > 20 || (major === 20 && minor >= 19);
  return { part: 'Node.js', state: isFine ? 'ok' : 'missing', says: process.version, cure: isFine ? '' : 'install Node.js 20.19 or newer' };
}

function python(): Finding {
  const found = findPython(MINISTACK.pythons, MINISTACK.minimum);
  const wanted = MINISTACK.minimum.join('.');
  if (found !== undefined) return { part: 'Python', state: 'ok', says: found, cure: '' };
  return {
    part: 'Python',
    state: 'missing',
    says: `none from ${wanted} on`,
    cure: `install python3 ${wanted} or newer with its venv module, or use --endpoint URL`,
  };
}

function ministack(): Finding {
  const folder = findVenv(MINISTACK);
  if (folder !== undefined) return { part: 'emulator MiniStack', state: 'ok', says: folder, cure: '' };
  return { part: 'emulator MiniStack', state: 'absent', says: `not installed in ${cacheFolder()}`, cure: 'the first `plinth up --class local` installs it' };
}

function helm(): Finding {
  const run = spawnSync('helm', ['version', '--short'], { encoding: 'utf8', timeout: 10_000 });
  if (run.status === 0) return { part: 'helm', state: 'ok', says: run.stdout.trim(), cure: '' };
  return { part: 'helm', state: 'absent', says: 'not on PATH', cure: 'only for charts as PATH: https://helm.sh/docs/intro/install' };
}

async function endpoint({ globals }: Context): Promise<Finding> {
  const part = 'local endpoint';
  if (globals.endpoint !== undefined) {
    const isUp = await isHealthy(globals.endpoint);
    return {
      part,
      state: isUp ? 'ok' : 'missing',
      says: `${globals.endpoint} ${isUp ? 'answers' : 'does not answer as an emulator does'}`,
      cure: isUp ? '' : 'start it, or leave --endpoint out',
    };
  }
  const folder = resolve(globals.state);
  const note = readNote(folder) ?? recall(folder)?.emulator;
  if (note === undefined) return { part, state: 'absent', says: 'none yet', cure: '`plinth up --class local` starts one' };
  if (await answers(note)) return { part, state: 'ok', says: `${note.endpoint} (process ${note.pid})`, cure: '' };
  return { part, state: 'absent', says: `${note.endpoint} does not answer`, cure: '`plinth up` starts it again' };
}

async function stateFolder(context: Context): Promise<Finding> {
  const folder = resolve(context.globals.state);
  const part = 'state folder';
  if (!existsSync(folder)) {
    const isWritable = canWrite(dirname(folder));
    return {
      part,
      state: isWritable ? 'absent' : 'missing',
      says: `${folder} is not there`,
      cure: isWritable ? '`plinth up` makes it' : `${dirname(folder)} is not writable: use --state DIR`,
    };
  }
  try {
    const project = await openProject(context, { write: false, create: false });
    const problems = project.files.problems();
    await closeProject(project);
    const [first] = problems;
    if (first !== undefined) return { part, state: 'missing', says: first.message, cure: first.hint };
    return {
      part,
      state: canWrite(folder) ? 'ok' : 'missing',
      says: `${folder}, instance ${project.files.instance.id}`,
      cure: canWrite(folder) ? '' : 'make it writable',
    };
  } catch (error) {
    return { part, state: 'missing', says: (error as EngineError).message, cure: (error as Partial<EngineError>).hint ?? '' };
  }
}

function home(): Finding {
  const folder = stateHome();
  const place = existsSync(folder) ? folder : existsSync(dirname(folder)) ? dirname(folder) : undefined;
  const isFine = place === undefined || canWrite(place);
  return {
    part: 'state home',
    state: isFine ? 'ok' : 'absent',
    says: folder,
    cure: isFine ? '' : 'not writable: a lost state folder cannot be rebuilt; set PLINTH_STATE_HOME',
  };
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

async function providers({ host }: Context): Promise<Finding[]> {
  const found = [...(await host.providers()).values()];
  return found.map(({ name, types }) => ({ part: `provider ${name}`, state: 'ok', says: types.map(type => type.type).join(', '), cure: '' }));
}
