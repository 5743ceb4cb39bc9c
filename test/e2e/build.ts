import { join } from 'node:path';

/** What people run. */
export const BUNDLE = join(import.meta.dirname, '..', '..', 'dist', 'plinth.mjs');

/** For `globalSetup` of vitest: the bundle that the stories run is the one of the sources that are there now. */
export default async function setup(): Promise<void> {
  const { build, isBuilt } = (await import('../../scripts/build.mjs' as string)) as { build(): Promise<void>; isBuilt(): boolean };
  if (!isBuilt()) await build();
}
