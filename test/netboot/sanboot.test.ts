import { netbootTest } from './netboot-test.ts';

netbootTest('iPXE starts the boot loader of a disk over iSCSI, with a login', {}, async (room) => {
  room.write('secret', 'a secret of sixteen\n');
  await room.serve(`entries:
  web: { image: web, boot: sanboot }
machines:
  - { mac: "52:54:00:*", entry: web }
chap: { user: room, secretFile: ./secret }
`);
  await using machine = room.lab.boot();
  await machine.waitFor(/room: the boot loader of the disk/);
});
