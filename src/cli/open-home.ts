/** The door to the home that the command line names; the code of the other one is not loaded. */
import { type Home, isCluster } from './home.ts';
import type { Context } from './host.ts';

/** Opens the home that the command line names. `write`: for verbs; a state folder is locked then. Errors: those of openFiles; of loadAccess. */
export async function openHome(context: Context, mode: { readonly write: boolean } = { write: false }): Promise<Home> {
  if (isCluster(context.globals)) return await (await import('./home-cluster.ts')).openClusterHome(context);
  return await (await import('./home-folder.ts')).openFolderHome(context, mode);
}
