/** A 64-bit number; not exact over 2^53, where nothing on a disk can be: whoever uses it bounds it. */
export function u64(view: DataView, offset: number): number {
  return view.getUint32(offset) * 2 ** 32 + view.getUint32(offset + 4);
}
