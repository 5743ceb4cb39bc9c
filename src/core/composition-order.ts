/** The order in which resources are made, and the circles that make it impossible. */

/** Ids so that everything comes after what it needs, the author's order otherwise; the members of a circle come last, in the author's order. */
export function orderOf(ids: readonly string[], needs: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const done = new Set<string>();
  const order: string[] = [];
  let left = [...ids];
  while (left.length > 0) {
    const next = left.find(id => [...(needs.get(id) ?? [])].every(need => done.has(need) || !ids.includes(need)));
    if (next === undefined) return [...order, ...left];
    done.add(next);
    order.push(next);
    left = left.filter(id => id !== next);
  }
  return order;
}

/** The first circle, as the ids on the way with the first one repeated at its end; undefined when there is none. */
export function circleOf(ids: readonly string[], needs: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const finished = new Set<string>();
  const visit = (id: string, way: readonly string[]): string[] | undefined => {
    const seen = way.indexOf(id);
    if (seen !== -1) return [...way.slice(seen), id];
    if (finished.has(id)) return undefined;
    for (const need of needs.get(id) ?? []) {
      const circle = ids.includes(need) ? visit(need, [...way, id]) : undefined;
      if (circle !== undefined) return circle;
    }
    finished.add(id);
    return undefined;
  };
  for (const id of ids) {
    const circle = visit(id, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}
