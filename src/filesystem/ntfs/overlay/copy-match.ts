/** Copies `length` bytes of `target` from `distance` before `done` to there; false where there are none, or no room. Hot. */
export function copyMatch(target: Uint8Array, done: number, distance: number, length: number): boolean {
  if (distance < 1 || distance > done || done + length > target.length) return false;
  for (let index = done; index < done + length; index++) target[index] = target[index - distance]!;
  return true;
}
