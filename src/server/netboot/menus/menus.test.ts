import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRoom } from '../room/parse-room.ts';
import type { MachineSettings } from '../room/room.ts';
import { settingsOf } from '../room/settings-of.ts';
import { grubMenu } from './grub-menu.ts';
import { type EntryBoot, ipxeAsk, ipxeEntry, ipxeFailure, ipxeMenu } from './ipxe-script.ts';
import { pxelinuxMenu } from './pxelinux-menu.ts';

const room = parseRoom(
  `
menu: { timeout: 5s, default: web }
entries:
  web: { title: "Bob's ^web", image: web, boot: nbd }
  desk: { image: desk, boot: iscsi, overlay: ask }
  windows: { image: windows, boot: sanboot }
  gone: { image: gone, boot: nbd }
  disk: { title: Own one, boot: local }
machines:
  - { mac: 52:54:00:00:00:01, entry: web, name: alice }
`,
  'room.yaml',
);
const settings = settingsOf(room, { mac: '52:54:00:00:00:02' });
const alice = settingsOf(room, { mac: '52:54:00:00:00:01' });
const server = { http: 'http://10.9.0.1' };
const kernel: EntryBoot = {
  label: 'web@3',
  kernel: 'image/web@3/boot/vmlinuz-6.1+x',
  initramfs: ['image/web@3/boot/initrd.img', 'image/web@3/boot/more'],
  arguments: "root=UUID=1 ds=nocloud;s=http://x/ it='s",
};
const boots = new Map<string, EntryBoot>([
  ['web', kernel],
  ['desk', { ...kernel, label: 'desk@1', initramfs: [], arguments: '' }],
  ['windows', { label: 'windows@1' }],
]);

/** What iPXE would put a value for. */
const placeholder = `${'$'}{x}`;

function lines(text: string): string[] {
  return text.split('\n').map((line) => line.trim());
}

test('a menu of iPXE has the own disk first, then the entries, and takes the default when time is up', () => {
  const script = lines(ipxeMenu(settings, server));
  assert.equal(script[0], '#!ipxe');
  assert.deepEqual(
    script.filter((line) => line.startsWith('item ')).map((line) => line.slice(5)),
    ['local Own one', "web Bob's ^web", 'desk desk', 'windows windows', 'gone gone'],
  );
  assert.ok(script.includes('choose --default web --timeout 5000 choice || goto choose'));
  for (const name of ['local', 'web', 'desk', 'windows', 'gone']) assert.ok(script.includes(`:boot-${name}`), name);
  const url = 'http://10.9.0.1/ipxe/52-54-00-00-00-02/desk.ipxe';
  assert.ok(script.includes(`chain --replace --autofree ${url} || goto failed`));
});

test('a menu without a time waits for ever, and has the own disk where nothing is the default', () => {
  const waiting: MachineSettings = { ...settings, menuTimeoutMs: 0, defaultEntry: undefined };
  assert.match(ipxeMenu(waiting, server), /^choose --default local choice \|\| goto choose$/m);
  assert.match(pxelinuxMenu(waiting, boots, { hasMenu: true }), /^DEFAULT local$[\s\S]*^TIMEOUT 0$/m);
  assert.match(grubMenu(waiting, boots), /^set default=local\nset timeout=-1$/m);
});

test('every line of a script goes on somewhere when it fails', () => {
  const disk = { kind: 'iscsi', address: '10.9.0.1', port: 3260, target: 'iqn.x:y', initiator: 'iqn.x:z' } as const;
  const web = settings.entries[0]!;
  const scripts = [
    ipxeMenu(settings, server),
    ipxeAsk(settings, web, server),
    ipxeEntry(settings, web, kernel, server),
    ipxeEntry(settings, web, { label: 'x', disk }, server),
    ipxeFailure(settings, `web is ${placeholder} || rm # && ;`, server),
  ];
  for (const script of scripts) {
    const failing = lines(script).filter((line) =>
      /^(chain|kernel|initrd|boot|sanboot|dhcp|choose|isset)\b/.test(line),
    );
    for (const line of failing) assert.match(line, /\|\|( goto \w+)?$/);
    const targets = [...script.matchAll(/goto (\w+)$/gm)].map(([, label]) => label);
    for (const target of targets) assert.ok(lines(script).includes(`:${target}`), target);
  }
});

test('a kernel is told by which names its initramfs are there, as EFI needs it', () => {
  const script = lines(ipxeEntry(settings, settings.entries[0]!, kernel, server));
  const url = 'http://10.9.0.1/image/web@3/boot';
  const words = `initrd=initramfs0 initrd=initramfs1 ${kernel.arguments}`;
  assert.ok(script.includes(`kernel --name kernel ${url}/vmlinuz-6.1%2Bx ${words} || goto failed`));
  assert.ok(script.includes(`initrd --name initramfs1 ${url}/more || goto failed`));
});

test('a disk that starts by itself is named with its login, which no character can break', () => {
  const disk = { kind: 'iscsi', address: '10.9.0.1', port: 9, target: 'iqn.x:y', initiator: 'iqn.x:z' } as const;
  const chap = { user: 'room', secret: `a\n${placeholder}`, mutualUser: 'us', mutualSecret: 'c' };
  const script = ipxeEntry(settings, settings.entries[0]!, { label: 'x', disk: { ...disk, chap } }, server);
  assert.match(script, /^set username:hex 72:6f:6f:6d$/m);
  assert.match(script, /^set password:hex 61:0a:24:7b:78:7d$/m);
  assert.match(script, /^set reverse-password:hex 63$/m);
  assert.match(
    script,
    /^set initiator-iqn iqn.x:z\n[\s\S]*^set keep-san 1\nsanboot iscsi:10.9.0.1::9:0:iqn.x:y \|\| goto failed$/m,
  );
  assert.match(ipxeEntry(settings, settings.entries[0]!, { label: 'x', disk }, server), /^clear password \|\|$/m);
});

test('what cannot be booted is said in words that iPXE cannot mistake', () => {
  assert.match(
    ipxeFailure(settings, `no ${placeholder} || b\n# c`, server),
    /^echo 52-54-00-00-00-02: no \$ \{x\} \.\|\| b \.# c$/m,
  );
});

test('a menu of PXELINUX has what can be booted now, by names that begin a boot', () => {
  assert.deepEqual(
    lines(pxelinuxMenu(settings, boots, { hasMenu: true })).filter((line) => line !== ''),
    [
      '# 52-54-00-00-00-02 (52:54:00:00:00:02)',
      ...['UI menu.c32', 'MENU TITLE 52-54-00-00-00-02: what to boot', 'DEFAULT web', 'PROMPT 0', 'TIMEOUT 50'],
      ...['LABEL local', 'MENU LABEL Own one', 'LOCALBOOT 0'],
      ...['LABEL web', "MENU LABEL Bob's web", 'KERNEL pxe/52-54-00-00-00-02/web/kernel'],
      'INITRD pxe/52-54-00-00-00-02/web/initramfs0,pxe/52-54-00-00-00-02/web/initramfs1',
      `APPEND ${kernel.arguments}`,
      ...['LABEL desk/keep', 'MENU LABEL desk: keep what was changed'],
      ...['KERNEL pxe/52-54-00-00-00-02/desk/keep/kernel', 'APPEND -'],
      ...['LABEL desk/discard', 'MENU LABEL desk: start afresh'],
      ...['KERNEL pxe/52-54-00-00-00-02/desk/discard/kernel', 'APPEND -'],
      ...['LABEL windows', 'MENU LABEL windows', 'KERNEL ipxe.lkrn', 'INITRD ipxe/52-54-00-00-00-02/windows.ipxe'],
    ],
  );
});

test('without menu.c32 the entries are listed; without a menu the only one starts at once', () => {
  const listed = pxelinuxMenu(settings, boots, { hasMenu: false });
  assert.match(listed, /^SAY {3}local\nSAY {3}web\nSAY {3}desk\/keep$/m);
  assert.match(listed, /^PROMPT 1\nTIMEOUT 50$/m);
  assert.doesNotMatch(listed, /menu\.c32/);
  const direct = pxelinuxMenu(alice, boots, { hasMenu: true });
  assert.match(direct, /^DEFAULT web\nPROMPT 0\nTIMEOUT 0$/m);
  assert.doesNotMatch(direct, /menu\.c32/);
});

test('a menu of GRUB has quotes around what GRUB would take for its own', () => {
  const menu = lines(grubMenu(settings, boots));
  assert.ok(menu.includes(`menuentry 'Bob'\\''s ^web' --id web {`));
  assert.ok(menu.includes(`linux /pxe/52-54-00-00-00-02/web/kernel root=UUID=1 'ds=nocloud;s=http://x/' 'it='\\''s'`));
  assert.ok(menu.includes('initrd /pxe/52-54-00-00-00-02/web/initramfs0 /pxe/52-54-00-00-00-02/web/initramfs1'));
  assert.equal(
    menu.some((line) => line.includes('windows')),
    false,
  );
  assert.match(grubMenu(alice, boots), /^set default=web\nset timeout=0$/m);
});

test("Debian's initramfs is told the address that the loader has; dracut asks for one", () => {
  const web = settings.entries[0]!;
  const lineFor = (words: string) =>
    lines(ipxeEntry(settings, web, { ...kernel, arguments: words }, server)).find((line) =>
      line.startsWith('kernel '),
    )!;
  const known = ['ip', 'gateway', 'netmask', 'dns'].map((name) => `$\{${name}}`);
  const [ip, gateway, netmask, dns] = known;
  const address = `ip=${ip}::${gateway}:${netmask}:52-54-00-00-00-02::off:${dns}`;
  assert.ok(lineFor('root=x ip=dhcp ro').includes(` root=x ${address} ro ||`));
  assert.ok(lineFor('root=x ip=dhcp rd.neednet=1 ro').includes(' root=x ip=dhcp rd.neednet=1 ro ||'));
  const menuFor = (words: string) =>
    lines(pxelinuxMenu(alice, new Map([['web', { ...kernel, arguments: words }]]), { hasMenu: true })).slice(-4);
  assert.deepEqual(menuFor('root=x ip=dhcp ro').slice(1), ['IPAPPEND 1', 'APPEND root=x ro', '']);
  assert.deepEqual(menuFor('ip=dhcp rd.neednet=1').slice(2), ['APPEND ip=dhcp rd.neednet=1', '']);
});
