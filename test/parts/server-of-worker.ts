/** A worker as vitest has them, for runs.test.ts: starts a server, tells its parent the id, and lives on. */
import { startProcess } from './kube/processes.ts';
import { endRunWithThisProcess, runFolder } from './runs.ts';

endRunWithThisProcess();
const { pid } = startProcess('server', runFolder(), 'sleep', ['300']);
process.send?.(pid);
setInterval(() => undefined, 60_000);
