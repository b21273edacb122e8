import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { entryName, fileName, menuName, parseMenuName, urlOf } from './menu-names.ts';

const mac = '52:54:00:aa:bb:cc';
const dashed = '52-54-00-aa-bb-cc';

const cases: [name: string, expected: object | undefined][] = [
  [`ipxe/${dashed}.ipxe`, { kind: 'menu', mac }],
  [`/ipxe/${dashed}.ipxe`, { kind: 'menu', mac }],
  [`ipxe/${dashed}/web.ipxe`, { kind: 'entry', mac, entry: 'web', overlay: undefined }],
  [`ipxe/${dashed}/web/keep.ipxe`, { kind: 'entry', mac, entry: 'web', overlay: 'keep' }],
  [`ipxe/${dashed}/web/away.ipxe`, undefined],
  [`ipxe/${dashed}/../web.ipxe`, undefined],
  [`ipxe/${dashed.toUpperCase()}.ipxe`, undefined],
  [`pxelinux.cfg/01-${dashed}`, { kind: 'pxelinux', mac }],
  [`loader/pxelinux.cfg/01-${dashed}`, { kind: 'pxelinux', mac }],
  ['pxelinux.cfg/default', undefined],
  [`grub/grub.cfg-01-${dashed}`, { kind: 'grub', mac }],
  [`pxe/${dashed}/web/kernel`, { kind: 'kernel', mac, entry: 'web', overlay: undefined, index: 0 }],
  [`pxe/${dashed}/web/discard/initramfs1`, { kind: 'initramfs', mac, entry: 'web', overlay: 'discard', index: 1 }],
  [`pxe/${dashed}/web/initramfs`, undefined],
];

for (const [name, expected] of cases) {
  test(`${name} is ${expected === undefined ? "nobody's" : JSON.stringify(expected)}`, () => {
    const found = parseMenuName(name);
    assert.deepEqual(found, expected);
  });
}

test('names that are made are read as what they were made for', () => {
  const entries = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
  const choices = fc.constantFrom(undefined, 'keep' as const, 'discard' as const);
  fc.assert(
    fc.property(entries, choices, (entry, overlay) => {
      assert.deepEqual(parseMenuName(entryName(mac, entry, overlay)), { kind: 'entry', mac, entry, overlay });
      const kernel = { kind: 'kernel', mac, entry, overlay, index: 0 };
      assert.deepEqual(parseMenuName(fileName(mac, entry, overlay, 'kernel')), kernel);
    }),
  );
  assert.deepEqual(parseMenuName(menuName('52:54:00:AA:BB:CC')), { kind: 'menu', mac });
});

test('an address of the web has no character that a script would take for its own', () => {
  assert.equal(urlOf('http://10.9.0.1', '/image/web@3/boot/a b+$%'), 'http://10.9.0.1/image/web@3/boot/a%20b%2B%24%25');
  assert.equal(urlOf('http://10.9.0.1', 'image/straße@1/x'), 'http://10.9.0.1/image/stra%C3%9Fe@1/x');
});
