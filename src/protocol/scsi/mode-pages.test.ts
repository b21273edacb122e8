import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeModeSelect, defaultSettings, encodeModeSense, type ModeRequest } from './mode-pages.ts';

const disk = { blockCount: 0x40000, blockSize: 512, readOnly: false };
const caching = (flags: string): string => `0812${flags}${'00'.repeat(17)}`;
const control = '0a0a0010000000 00ffff0000'.replace(' ', '');
const exceptions = '1c0a00000000000000000000';
const descriptor = '0004000000000200';

function sense(request: Partial<ModeRequest>, settings = defaultSettings, readOnly = false): string | undefined {
  const whole = {
    ...{ page: 0x3f, subpage: 0, control: 0, isLong: false, withDescriptor: true, withLongDescriptor: false },
    ...request,
  };
  const bytes = encodeModeSense(whole, { ...disk, readOnly }, settings);
  return bytes && Buffer.from(bytes).toString('hex');
}

describe('MODE SENSE', () => {
  for (const [what, request, expected] of [
    ['all pages, by 6 bytes', {}, `37001008${descriptor}${caching('04')}${control}${exceptions}`],
    ['all pages, by 10', { isLong: true }, `003a0010000000 08${descriptor}${caching('04')}${control}${exceptions}`],
    ['caching alone', { page: 8, isLong: true, withDescriptor: false }, `001a001000000000${caching('04')}`],
    ['what of it can be changed', { page: 8, control: 1, withDescriptor: false }, `17001000${caching('04')}`],
    [
      'a long descriptor',
      { page: 0x0a, isLong: true, withLongDescriptor: true },
      `0022001001000010${'0000000000040000'}${'0000000000000200'}${control}`,
    ],
    ['all subpages', { subpage: 0xff, withDescriptor: false }, `2f001000${caching('04')}${control}${exceptions}`],
  ] as const) {
    test(what, () => assert.equal(sense(request), expected.replaceAll(' ', '')));
  }

  test('says that nobody may write, and that the cache is off', () => {
    assert.equal(
      sense({ page: 8, withDescriptor: false }, { writeCache: false, writeProtect: true })?.slice(0, 14),
      '17009000081200',
    );
    assert.equal(sense({ page: 8, withDescriptor: false }, defaultSettings, true)?.slice(0, 8), '17009000');
  });

  test('has no other pages', () => {
    assert.equal(sense({ page: 0x1a }), undefined);
    assert.equal(sense({ page: 8, subpage: 1 }), undefined);
  });
});

describe('MODE SELECT', () => {
  const select = (list: string, isLong = true) => decodeModeSelect(Buffer.from(list, 'hex'), isLong, defaultSettings);
  const head = '0000000000000000';

  test('switches the cache off, with a header of either length', () => {
    assert.deepEqual(select(`${head}${caching('00')}`), { writeCache: false, writeProtect: false });
    assert.deepEqual(select(`00000008${descriptor}${caching('00')}`, false), {
      writeCache: false,
      writeProtect: false,
    });
  });

  test('changes nothing that cannot be changed, nor what is cut off', () => {
    assert.equal(select(`${head}${caching('05')}`), 'value');
    assert.equal(select(`${head}1a0a${'00'.repeat(10)}`), 'value');
    assert.equal(select(`${head}${caching('00').slice(0, -2)}`), 'length');
    assert.equal(select('0000'), 'length');
    assert.deepEqual(select(''), defaultSettings);
  });
});
