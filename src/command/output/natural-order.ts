const collator = new Intl.Collator('en', { numeric: true });

/** Compares names as people sort them: web9 before web10. */
export function naturalOrder(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : Number(a > b));
}
