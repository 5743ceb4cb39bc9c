/** What work costs, whatever else the machine does meanwhile. */

/** CPU time of this process while it runs, ms. */
export function cpuMsOf(run: () => unknown): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
