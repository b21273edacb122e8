/** The largest multiple of `alignment` that is at most `value`; whole numbers up to 2^53−1, any alignment over 0. */
export function alignDown(value: number, alignment: number): number {
  return value - (value % alignment);
}

/** The smallest multiple of `alignment` that is at least `value`; whole numbers, exact while the result is below 2^53. */
export function alignUp(value: number, alignment: number): number {
  const remainder = value % alignment;
  return remainder === 0 ? value : value - remainder + alignment;
}
