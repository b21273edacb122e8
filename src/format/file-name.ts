/**
 * The file that a name in an image means; undefined where it is no plain file name but a protocol, which nobody allowed:
 * `json:{…}`, `nbd://…`.
 */
export function plainFileName(name: string): string | undefined {
  if (name.startsWith('file:')) return name.slice('file:'.length);
  return /^[a-z][a-z0-9+.-]*:/i.test(name) ? undefined : name;
}
