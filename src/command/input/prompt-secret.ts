import { printable } from '../../log/printable.ts';

const endOfInput = 4;
const backspaces = [8, 127];
const interrupt = 3;
const lineEnds = [10, 13];

/** Asks for a passphrase on the terminal, and shows nothing of it. Standard input must be a terminal. */
export async function promptSecret(question: string): Promise<Uint8Array> {
  process.stderr.write(`${printable(question)}: `);
  process.stdin.setRawMode(true);
  try {
    return await readHidden();
  } finally {
    process.stdin.setRawMode(false);
    process.stdin.pause();
    process.stderr.write('\n');
  }
}

async function readHidden(): Promise<Uint8Array> {
  const typed: number[] = [];
  for await (const bytes of process.stdin.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    for (const byte of bytes) {
      if (lineEnds.includes(byte) || byte === endOfInput) return Uint8Array.from(typed);
      // A terminal in raw mode makes no signal of Ctrl-C.
      if (byte === interrupt) process.kill(process.pid, 'SIGINT');
      else if (backspaces.includes(byte)) dropCharacter(typed);
      else typed.push(byte);
    }
  }
  return Uint8Array.from(typed);
}

/** Takes off the last character, which may be several bytes of UTF-8. */
function dropCharacter(typed: number[]): void {
  while (((typed.at(-1) ?? 0) & 0xc0) === 0x80) typed.pop();
  typed.pop();
}
