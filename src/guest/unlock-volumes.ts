import { isVarveError, VarveError } from '../base/varve-error.ts';
import type { AskSecret } from '../format/image-format.ts';
import type { ContentCipher, LockedVolume } from '../luks/locked-volume.ts';

/** Unlocks encrypted volumes, with as few questions as can be: what opened one may open the next. */
export class Unlocker {
  readonly #askSecret: AskSecret | undefined;
  readonly #secrets: Uint8Array[] = [];
  #refusal: VarveError | undefined;
  #hasOpened = false;

  constructor(askSecret: AskSecret | undefined) {
    this.#askSecret = askSecret;
  }

  /** Why what was given as a secret opened nothing at all; undefined where it did, or nothing was given. */
  get refusal(): VarveError | undefined {
    return this.#hasOpened ? undefined : this.#refusal;
  }

  /** @throws VarveError `PERMISSION` where there is no secret, or not the right one; `CORRUPT`, `UNSUPPORTED` */
  async unlock(locked: LockedVolume, name: string): Promise<ContentCipher> {
    for (const secret of this.#secrets) {
      const cipher = await this.#attempt(locked, secret);
      if (cipher !== undefined) return cipher;
    }
    const secret = await this.#askSecret?.(`Passphrase of ${name}`);
    if (secret === undefined || secret.length === 0) throw needed(name);
    // A key file says the same each time.
    const isNew = !this.#secrets.some((each) => Buffer.compare(each, secret) === 0);
    if (isNew) this.#secrets.push(secret);
    const cipher = isNew ? await this.#attempt(locked, secret) : undefined;
    if (cipher !== undefined) return cipher;
    throw this.#refusal ?? needed(name);
  }

  async #attempt(locked: LockedVolume, secret: Uint8Array): Promise<ContentCipher | undefined> {
    try {
      const cipher = await locked.unlock(secret);
      this.#hasOpened = true;
      return cipher;
    } catch (error) {
      if (!isVarveError(error, 'PERMISSION')) throw error;
      this.#refusal = error;
      return undefined;
    }
  }
}

function needed(name: string): VarveError {
  const what = `cannot read ${name}: it is encrypted with LUKS`;
  return new VarveError('PERMISSION', `${what}; give its passphrase, or its key with --key-file`);
}
