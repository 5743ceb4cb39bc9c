/** Suggestions for words that are almost right. */

/** Edit distance (insert, delete, replace, swap of neighbours), case ignored; gives up above `limit` and answers `limit + 1`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    [before, above] = [above, row];
  }
  return above[b.length]!;
}

/** The candidate that is almost `word`; undefined when none is near. Ties go to the first in alphabetical order. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const lower = word.toLowerCase();
  const limit = Math.max(1, Math.min(3, Math.floor(word.length / 3)));
  const ranked = [...candidates]
    .sort()
    .map(candidate => ({ candidate, away: distance(lower, candidate.toLowerCase(), limit) }))
    .filter(({ away }) => away <= limit)
    .sort((a, b) => a.away - b.away);
  return ranked[0]?.candidate;
}

/** A hint for an unknown word: "did you mean `x`?", else what there is: "known here: `a`, `b` and 3 more". */
export function suggestion(word: string, candidates: Iterable<string>): string {
  const all = [...new Set(candidates)].sort();
  const near = nearest(word, all);
  if (near !== undefined) return `did you mean \`${near}\`?`;
  return all.length === 0 ? 'nothing is known here' : `known here: ${listed(all)}`;
}

/** "`a`, `b` and 3 more": at most eight words, in the order given. */
export function listed(words: readonly string[]): string {
  const shown = words.slice(0, 8).map(word => `\`${word}\``);
  return words.length <= 8 ? shown.join(', ') : `${shown.join(', ')} and ${words.length - 8} more`;
}
