import { createRequire } from 'node:module';

type Koffi = typeof import('koffi');

let loaded: Koffi | undefined;

/**
 * The library by which C functions are called. What it is besides its native part only finds that, and keeps names of older
 * versions: 7 of the 11 ms it takes to load. Where the native part is not in a package of its own, that finds it all the same.
 */
export function loadKoffi(): Koffi {
  loaded ??= load();
  return loaded;
}

function load(): Koffi {
  const require = createRequire(import.meta.url);
  try {
    const besideIt = createRequire(require.resolve('koffi'));
    return besideIt(`@koromix/koffi-${process.platform}-${process.arch}`) as Koffi;
  } catch {
    return require('koffi') as Koffi;
  }
}
