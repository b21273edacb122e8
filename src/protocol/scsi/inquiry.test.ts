import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DiskIdentity, encodeStandardInquiry, encodeVitalPage } from './inquiry.ts';

const disk: DiskIdentity = {
  ...{ name: 'iqn.2026-11.internal.varve:web', serial: '8996ac87f620c93c', blockSize: 512 },
  ...{ granularity: 4096, maximumTransfer: 2 ** 23, isThin: true },
};

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('hex');
}

function text(words: string): string {
  return Buffer.from(words).toString('hex');
}

test('a disk says what it is as SPC-4 has it: a disk of SPC-4, SBC-3 and SAM-5 over iSCSI, with queues', () => {
  const names = text('VARVE   Virtual disk    0001');
  const versions = '00a0096004600 4c0'.replace(' ', '');
  assert.equal(
    hex(encodeStandardInquiry(true)),
    `000006125b000002${names}${'00'.repeat(22)}${versions}${'00'.repeat(30)}`,
  );
  assert.equal(hex(encodeStandardInquiry(false)).slice(0, 16), '7f0006125b000002');
});

/** By page: what comes after its code and length. */
const pages: Readonly<Record<string, readonly [number, string]>> = {
  'there are seven': [0x00, '00808386b0b1b2'],
  'a number of its own': [0x80, text('8996ac87f620c93c')],
  'names of the disk and of the port': [
    0x83,
    [
      `01030008${'3996ac87f620c93c'}`,
      `02010018${text('VARVE   8996ac87f620c93c')}`,
      '5194000400000001',
      // Padded to words, with a zero byte at least. Source: SPC-4, section 7.8.6.11.
      `53980028${text('iqn.2026-11.internal.varve:web,t,0x0001')}00`,
    ].join(''),
  ],
  'only simple queues, and that it verifies': [0x86, `000101${'00'.repeat(57)}`],
  'limits: 255 blocks compared, 8 MiB a command, 1 MiB at best, 512 MiB and 256 ranges to unmap, each 4 KiB': [
    0xb0,
    `00ff0008${'00004000'}${'00000800'}00000000${'00100000'}${'00000100'}${'00000008'}80000000${'0000000000004000'}${'00'.repeat(20)}`,
  ],
  'it does not rotate': [0xb1, `0001${'00'.repeat(58)}`],
  'UNMAP and WRITE SAME free blocks, which read as zeros then': [0xb2, '00e40200'],
};

for (const [what, [page, content]] of Object.entries(pages)) {
  test(`page ${page.toString(16)}: ${what}`, () => {
    const length = (content.length / 2).toString(16).padStart(4, '0');
    assert.equal(hex(encodeVitalPage(page, disk)), `00${page.toString(16).padStart(2, '0')}${length}${content}`);
  });
}

test('what is not thin frees nothing, and a page that there is not is none', () => {
  const thick = { ...disk, isThin: false };
  assert.equal(hex(encodeVitalPage(0xb2, thick)), '00b2000400000000');
  assert.equal(hex(encodeVitalPage(0xb0, thick)).slice(40, 72), '0'.repeat(32));
  assert.equal(encodeVitalPage(0x8f, disk), undefined);
});

test('blocks of 4096 bytes are counted as such', () => {
  const page = encodeVitalPage(0xb0, { ...disk, blockSize: 4096, granularity: 2 ** 16 });
  assert.equal(
    hex(page).slice(8, 72),
    '00ff0010000008000000010000000000000200000000010000000010800000 00'.replace(' ', ''),
  );
});
