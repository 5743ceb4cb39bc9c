/** Runs every item, so many at a time. Rejects with the first failure. */
export async function eachOf<T>(items: Iterable<T>, atOnce: number, run: (item: T) => Promise<unknown>): Promise<void> {
  const rest = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) await run(next.value);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** So many whole numbers in a row. */
export function numbers(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}
