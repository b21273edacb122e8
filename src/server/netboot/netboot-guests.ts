import { VarveError } from '../../base/varve-error.ts';
import type { Store } from '../../store/store.ts';
import { diskGuests } from '../files/disk-guests.ts';
import type { GuestOpener } from '../files/guest-source.ts';

/** The insides of a store's images. Nobody is there to be asked for the passphrase of one. */
export function netbootGuests(store: Store): Required<GuestOpener> {
  return diskGuests({ store, askSecret }) as Required<GuestOpener>;
}

async function askSecret(): Promise<never> {
  throw new VarveError(
    'UNSUPPORTED',
    'the image is encrypted, and no kernel can be read from it; boot it with boot: sanboot, by its own boot loader',
  );
}
