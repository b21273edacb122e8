import assert from 'node:assert/strict';
import { initramfsFiles } from './debian-initramfs.ts';
import { netbootTest } from './netboot-test.ts';
import { roomOf } from './room-file.ts';
import { ask, consoleArguments, powerOff, untilRunning } from './room-machine.ts';

const login = 'chap: { user: room, secretFile: ./secret }\n';
const secret = 'a-secret-of-sixteen\n';

for (const firmware of ['bios', 'efi', 'efi-http'] as const) {
  netbootTest(
    `${firmware}: a machine boots with its root on NBD, and writes`,
    { efi: firmware !== 'bios' },
    async (room) => {
      await room.serve(roomOf('nbd'));
      await using machine = room.lab.boot({ firmware });
      await untilRunning(machine);
      assert.equal(await ask(machine, 'grep -c /dev/nbd0p1.*rw /proc/mounts'), '1');
      await powerOff(machine);
    },
  );
}

for (const [what, more] of [
  ['', ''],
  [', with a login', login],
]) {
  netbootTest(`a machine boots with its root on iSCSI${what}`, {}, async (room) => {
    room.write('secret', secret);
    await room.serve(roomOf('iscsi', more));
    await using machine = room.lab.boot({});
    await untilRunning(machine);
    assert.equal(await ask(machine, 'grep -c /dev/sda1.*rw /proc/mounts'), '1');
    await powerOff(machine);
  });

  netbootTest(
    `iPXE starts a disk’s own boot loader over iSCSI${what}, and the system goes on by it`,
    {},
    async (room) => {
      room.write('secret', secret);
      await room.serve(roomOf('sanboot', more));
      await using machine = room.lab.boot({});
      await machine.waitFor(/room: the boot loader of the disk/);
      await untilRunning(machine);
      await powerOff(machine);
    },
  );
}

netbootTest('a machine boots with its root on NFS, which nobody can write to', {}, async (room) => {
  await room.serve(roomOf('nfs'));
  await using machine = room.lab.boot({});
  await untilRunning(machine);
  assert.match(await ask(machine, 'touch /etc/motto'), /Read-only file system/);
});

netbootTest(
  'a machine boots to its memory, and runs on when the server is gone',
  { files: initramfsFiles },
  async (room) => {
    await room.serve(roomOf('ram'));
    await using machine = room.lab.boot({ memory: 1024 });
    await untilRunning(machine);
    await room.kill();
    assert.equal(
      await ask(machine, 'echo one > /etc/motto; cat /etc/motto; sha256sum /boot/vmlinuz | wc -l'),
      'one\n1',
    );
  },
);

netbootTest('a menu waits, and boots what was chosen', {}, async (room) => {
  await room.serve(`menu: { timeout: 60s, default: web }
entries:
  web: { image: web, boot: nbd, arguments: ${consoleArguments} }
  other: { image: web, boot: sanboot }
machines:
  - { mac: "52:54:00:*", entry: [web, other] }
`);
  await using machine = room.lab.boot();
  await machine.waitFor(/What to boot on/);
  // The key down, and Enter.
  machine.type('\x1b[B\r');
  await machine.waitFor(/room: the boot loader of the disk/);
});
