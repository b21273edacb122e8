import { createRequire } from 'node:module';

type Blake = typeof import('@napi-rs/blake-hash');

let loaded: Blake | undefined;

/**
 * The library of BLAKE3 and BLAKE2b, at the first call. What it is besides its native part only finds that, in 5 ms, so
 * that of nearly every Linux is tried before.
 */
export function loadBlake(): Blake {
  loaded ??= load();
  return loaded;
}

function load(): Blake {
  const require = createRequire(import.meta.url);
  try {
    const besideIt = createRequire(require.resolve('@napi-rs/blake-hash'));
    return besideIt(`@napi-rs/blake-hash-${process.platform}-${process.arch}-gnu`) as Blake;
  } catch {
    return require('@napi-rs/blake-hash') as Blake;
  }
}
