let loaded: typeof import('node:zlib') | undefined;

/** Node's zlib, loaded at the first call: that takes 2 ms, which a command that unpacks nothing must not pay. */
export function zlib(): typeof import('node:zlib') {
  loaded ??= process.getBuiltinModule('node:zlib');
  return loaded;
}
