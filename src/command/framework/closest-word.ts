/** The word that was most likely meant: at most two letters off, or begun with `typed`; `undefined` when none is near. */
export function closestWord(typed: string, words: readonly string[]): string | undefined {
  const allowed = typed.length < 4 ? 1 : 2;
  const near = words
    .map((word) => ({ word, distance: editDistance(typed, word) }))
    .filter(({ distance }) => distance <= allowed)
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.word ?? words.find((word) => typed.length >= 2 && word.startsWith(typed));
}

/** Letters to add, drop, change or swap with their neighbour (optimal string alignment distance). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? rows[i - 2]?.[j - 2] : undefined;
      row.push(
        Math.min(
          rows[i - 1]![j]! + 1,
          row[j - 1]! + 1,
          rows[i - 1]![j - 1]! + change,
          (swapped ?? Number.POSITIVE_INFINITY) + 1,
        ),
      );
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
