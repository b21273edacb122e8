import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findLoaders } from '../../src/server/netboot/loaders/find-loaders.ts';
import { grubMenu } from '../../src/server/netboot/menus/grub-menu.ts';
import type { EntryBoot } from '../../src/server/netboot/menus/ipxe-script.ts';
import { pxelinuxMenu } from '../../src/server/netboot/menus/pxelinux-menu.ts';
import { parseRoom } from '../../src/server/netboot/room/parse-room.ts';
import type { MachineSettings } from '../../src/server/netboot/room/room.ts';
import { settingsOf } from '../../src/server/netboot/room/settings-of.ts';
import { requireTool } from './require-tool.ts';
import { type ScreenMachine, startScreenMachine } from './screen-machine.ts';

// QEMU's own network has a TFTP server; what it serves are our menus, and the loaders that are found here. The kernel is iPXE,
// which runs its arguments as commands, and lists what came with it.
const mac = '52:54:00:12:34:56';
const dashed = '52-54-00-12-34-56';
const pxelinux = '/usr/lib/PXELINUX/pxelinux.0';
const title = `--gap Web^ [#1] 'server' \\$x`;

function settingsFor(chosen: string): MachineSettings {
  const text = `
menu: { timeout: 1s, default: ${chosen} }
entries:
  web: { title: "${title.replace('\\', '\\\\')}", image: web, boot: nbd, overlay: ask }
  disk: { image: disk, boot: sanboot }
`;
  return settingsOf(parseRoom(text, 'room.yaml'), { mac });
}

const boots = new Map<string, EntryBoot>([
  ['web', { label: 'web@3', kernel: 'k', initramfs: ['i'], arguments: `quiet ds=nocloud;s=http://x/ it='s "q" $y` }],
  ['disk', { label: 'disk@1' }],
]);

const commands = 'imgstat && echo it is web, kept && sleep 60';
const withCommands = new Map([...boots, ['web', { ...boots.get('web')!, arguments: commands }]]);

/** Boots by PXELINUX; `hasMenu` is whether menu.c32 is served. */
function boot(t: TestContext, settings: MachineSettings, hasMenu: boolean): ScreenMachine | undefined {
  if (requireTool(t, 'qemu-system-x86_64') === undefined) return undefined;
  if (!fs.existsSync(pxelinux)) {
    t.skip(`${pxelinux} is not there (Debian's package pxelinux)`);
    return undefined;
  }
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const put = (name: string, content: string | Uint8Array): void => {
    fs.mkdirSync(dirname(join(directory, name)), { recursive: true });
    fs.writeFileSync(join(directory, name), content);
  };
  const { files, pxe } = findLoaders({ bios: pxelinux });
  for (const [name, path] of files) if (hasMenu || name !== 'menu.c32') put(name, fs.readFileSync(path));
  put(`pxelinux.cfg/01-${dashed}`, pxelinuxMenu(settings, withCommands, { hasMenu }));
  put(`pxe/${dashed}/web/keep/kernel`, fs.readFileSync(files.get('ipxe.lkrn')!));
  put(`pxe/${dashed}/web/keep/initramfs0`, 'x'.repeat(54_321));
  put(`ipxe/${dashed}/disk.ipxe`, '#!ipxe\necho it is disk\nsleep 60\n');
  return startScreenMachine(t, [
    '-boot',
    'n',
    '-nic',
    `user,model=e1000,mac=${mac},tftp=${directory},bootfile=${pxe.bios}`,
  ]);
}

test('PXELINUX lists what can be booted where it has no module for menus, and starts the kernel of the default', async (t) => {
  const machine = boot(t, settingsFor('web'), false);
  if (machine === undefined) return;
  await machine.until('it is web, kept');
  assert.match(machine.screen(), /54321 bytes/);
  assert.match(machine.screen(), /type what to boot, or wait\s+local\s+web\/keep\s+web\/discard\s+disk\s+boot:/);
});

test('PXELINUX shows our menu, and leaves a disk that starts by itself to iPXE', async (t) => {
  const machine = boot(t, settingsFor('disk'), true);
  if (machine === undefined) return;
  await machine.until('it is disk');
  for (const shown of ["--gap Web [#1] 'server' \\$x: keep what was changed", 'The disk of this machine']) {
    assert.ok(machine.screen().includes(shown), machine.screen());
  }
});

test('GRUB can read our menu', (t) => {
  const program = requireTool(t, 'grub-script-check');
  if (program === undefined) return;
  const menu = grubMenu(settingsFor('web'), boots);
  const { status, stderr } = spawnSync(program, { input: menu, encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
  assert.notEqual(spawnSync(program, { input: `${menu}\nmenuentry 'x` }).status, 0);
});
