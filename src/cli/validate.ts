/** `plinth validate`: all that is wrong, nothing applied. */
import type { Context, ExitCode } from './host.ts';
import { load, refuse, tellAside } from './load.ts';
import { tell } from './output.ts';

/** Runs the command. Errors: those of reading the input. */
export async function runValidate(context: Context, paths: readonly string[]): Promise<ExitCode> {
  const loaded = await load(context, paths);
  tellAside(context, loaded);
  if (loaded.problems.length > 0) {
    await refuse(context.out, loaded.problems);
    return 1;
  }
  const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`;
  const admin = loaded.admin.length === 0 ? '' : ` and ${count(loaded.admin.length, 'admin object')}`;
  await tell(context.out, { valid: true, problems: [] }, () => [`${count(loaded.claims.length, 'claim')}${admin}: all right`]);
  return 0;
}
