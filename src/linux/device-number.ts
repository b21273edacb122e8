/** A device's number as the kernel writes it, `8:1`, from how stat(2) tells it in `rdev`. Source: makedev(3), how glibc splits it. */
export function deviceNumber(rdev: number): string {
  const bits = BigInt(rdev);
  const major = ((bits >> 8n) & 0xfffn) | ((bits >> 32n) & ~0xfffn);
  const minor = (bits & 0xffn) | ((bits >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}
