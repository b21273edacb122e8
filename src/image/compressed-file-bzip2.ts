import { Bzip2Thread } from './compressed-file-bzip2-thread.ts';
import { CompressedFileError } from './compressed-file-error.ts';
import type { CompressedFileInput } from './compressed-file-input.ts';

/** What a bzip2 file holds, all its streams. What follows them and is none is passed over, as bzip2 does. */
export async function* bunzipped(input: CompressedFileInput): AsyncGenerator<Uint8Array> {
  await using thread = new Bzip2Thread();
  for (;;) {
    const request = await thread.request();
    if (request.kind === 'end') return;
    if (request.kind === 'failure') throw new CompressedFileError(request.why, request.message);
    if (request.kind === 'input') thread.reply(await input.next());
    else {
      yield request.bytes;
      thread.reply(undefined);
    }
  }
}
