/** A test run that starts a node, says so in one line of JSON, and dies. */
import { startNode } from './node.ts';

const { name, folder, hostAddress, pids } = await startNode();
process.stdout.write(JSON.stringify({ name, folder, hostAddress, pids }), () => process.kill(process.pid, 'SIGKILL'));
