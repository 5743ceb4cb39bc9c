/** A state folder as the home of commands. */
import { keyOf, keyText } from '../engine/objects.ts';
import type { Home } from './home.ts';
import type { Context } from './host.ts';
import { findLocal } from './local.ts';
import { namesOf } from './names.ts';
import { bindingPaths, closeProject, openProject, type Project, stateProblems } from './project.ts';
import { endRun, startRun, waitForAll } from './run.ts';
import { rememberClaims } from './up.ts';

/** Opens the folder of the command line; to write, also finds what its claims need. Errors: those of openFiles. */
export async function openFolderHome(context: Context, { write }: { readonly write: boolean }): Promise<Home> {
  const project = await openProject(context, { write, create: false });
  try {
    if (write && stateProblems(project).length === 0) await findLocal(project);
    return homeOf(project);
  } catch (error) {
    await closeProject(project);
    throw error;
  }
}

function homeOf(project: Project): Home {
  const { context, store, namespace, files, engine } = project;
  return {
    context,
    store,
    namespace,
    scope: context.globals.namespace,
    problems: () => files.problems(),
    events: async of => files.events().filter(event => keyText(event.object) === keyText(of)),
    connection: (inNamespace, binding) => {
      const { env, folder } = bindingPaths(context.globals.state, inNamespace, binding);
      return [env, `${folder}/`];
    },
    configs: () => Object.keys(project.remembered?.configs ?? {}),
    engine: async () => engine,
    settle: async (claim, _, { timeoutMs, interrupt }) => {
      const key = keyOf(claim);
      const run = await startRun(project, namesOf([key], namespace));
      const ending = await waitForAll(run, [key], { timeoutMs, signal: interrupt.signal });
      await endRun(run);
      await rememberClaims(project);
      const { object, standing } = run.seen.get(keyText(key)) ?? { object: claim, standing: 'working' as const };
      return { ending, object, standing };
    },
    close: () => closeProject(project),
  };
}
