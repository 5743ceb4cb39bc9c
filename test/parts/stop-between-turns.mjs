/**
 * Preloaded (`node --import`): told SIGUSR2, the process stops itself as SIGSTOP does, between two turns of its event loop. Stopped from outside it
 * may stand in the few microseconds between the last question of a request and its bytes, which nothing can call back (decision 0009).
 */
process.on('SIGUSR2', () => setImmediate(() => process.kill(process.pid, 'SIGSTOP')));
