/** Seeded chance: the one source of everything that is not decided by the code under test. */
export interface Random {
  /** In [0, 1). */
  next(): number;
}

/** mulberry32: small, fast, good enough to choose schedules. */
export function seeded(seed: number): Random {
  let state = (seed * 2_654_435_761 + 0x9e3779b9) >>> 0;
  return {
    next: () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
    },
  };
}

/** A whole number in [0, below). */
export function below(random: Random, limit: number): number {
  return Math.floor(random.next() * limit);
}

export function chance(random: Random, share: number): boolean {
  return random.next() < share;
}

/** One of them, each as likely as the others. */
export function pick<T>(random: Random, items: readonly T[]): T {
  return items[below(random, items.length)]!;
}

/** One of them, by weight. */
export function weighted<T>(random: Random, items: readonly (readonly [number, T])[]): T {
  let left = random.next() * items.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, item] of items) {
    left -= weight;
    if (left < 0) return item;
  }
  return items.at(-1)![1];
}
