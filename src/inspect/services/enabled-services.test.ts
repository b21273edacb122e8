import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { guestOf } from '../../../test/inspect/guest-root.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { enabledServices } from './enabled-services.ts';
import { timersOf } from './timers.ts';

const own = '/etc/systemd/system';
const vendor = '/usr/lib/systemd/system';

describe('enabledServices', { skip: skipWithout('mke2fs') }, () => {
  test('lists units that links enable, by their other names and as instances, but for masked and missing ones', async (t) => {
    const guest = await guestOf(t, {
      lib: { link: 'usr/lib' },
      [`${vendor}/ssh.service`]: '[Unit]\nDescription=OpenBSD \\\n  Secure Shell server\n',
      [`${vendor}/getty@.service`]: '[Unit]\nDescription=Getty on %I\n',
      [`${vendor}/masked.service`]: '[Unit]\n',
      [`${vendor}/static.service`]: '[Unit]\n',
      [`${vendor}/sddm.service`]: '[Unit]\n',
      [`${vendor}/multi-user.target.wants/static.service`]: { link: '../static.service' },
      [`${own}/multi-user.target.wants/ssh.service`]: { link: `/lib/systemd/system/ssh.service` },
      [`${own}/cloud.target.requires/ssh.service`]: { link: `${vendor}/ssh.service` },
      [`${own}/sshd.service`]: { link: `${vendor}/ssh.service` },
      [`${own}/getty.target.wants/getty@tty1.service`]: { link: `${vendor}/getty@.service` },
      [`${own}/masked.service`]: { link: '/dev/null' },
      [`${own}/multi-user.target.wants/masked.service`]: { link: `${vendor}/masked.service` },
      [`${own}/multi-user.target.wants/gone.service`]: { link: `${vendor}/gone.service` },
      [`${own}/display-manager.service`]: { link: `${vendor}/sddm.service` },
      [`${own}/default.target`]: { link: `${vendor}/graphical.target` },
      [`${own}/local.service`]: '[Unit]\nDescription=Not enabled\n',
      '/usr/lib/systemd/system-preset/90-a.preset': '# rules\nenable ssh.*\ndisable get?y@*.[!x]ervice\n',
    });
    assert.deepEqual(
      (await enabledServices(guest.tree)).map(({ name, description, enabledBy, preset, source }) => {
        return [name, description, enabledBy.join(' '), preset, source.path];
      }),
      [
        [
          'getty@tty1.service',
          'Getty on %I',
          'getty.target',
          'disable',
          `${own}/getty.target.wants/getty@tty1.service`,
        ],
        ['sddm.service', undefined, 'display-manager.service', 'enable', `${own}/display-manager.service`],
        [
          'ssh.service',
          'OpenBSD  Secure Shell server',
          'cloud.target multi-user.target sshd.service',
          'enable',
          `${own}/cloud.target.requires/ssh.service`,
        ],
      ],
    );
  });

  test('lists the scripts of the run level that inittab names, and those of the start', async (t) => {
    const guest = await guestOf(t, {
      '/etc/inittab': '# si::sysinit:\nid:3:initdefault:\n',
      '/etc/rc3.d/S20ssh': { link: '../init.d/ssh' },
      '/etc/rc3.d/K01apache2': { link: '../init.d/apache2' },
      '/etc/rc2.d/S20cron': { link: '../init.d/cron' },
      '/etc/rcS.d/S01udev': { link: '../init.d/udev' },
    });
    assert.deepEqual(
      (await enabledServices(guest.tree)).map(({ name, manager, enabledBy }) => [name, manager, ...enabledBy]),
      [
        ['ssh', 'sysvinit', '3'],
        ['udev', 'sysvinit', 'S'],
      ],
    );
  });

  test("lists what is in OpenRC's run levels", async (t) => {
    const guest = await guestOf(t, {
      '/etc/runlevels/default/sshd': { link: '/etc/init.d/sshd' },
      '/etc/runlevels/boot/sshd': { link: '/etc/init.d/sshd' },
      '/etc/runlevels/shutdown/killprocs': { link: '/etc/init.d/killprocs' },
    });
    assert.deepEqual(
      (await enabledServices(guest.tree)).map(({ name, manager, enabledBy }) => [name, manager, ...enabledBy]),
      [['sshd', 'OpenRC', 'boot', 'default']],
    );
  });
});

describe('timersOf', { skip: skipWithout('mke2fs') }, () => {
  test("lists systemd's timers, also those that a distribution starts for good, and what cron does", async (t) => {
    const guest = await guestOf(t, {
      [`${vendor}/a.timer`]: '[Timer]\nOnCalendar=daily\nRandomizedDelaySec=1h\nOnBootSec=5min\n',
      [`${vendor}/timers.target.wants/a.timer`]: { link: '../a.timer' },
      [`${vendor}/b.timer`]: '[Timer]\nOnCalendar=weekly\n',
      '/etc/crontab': 'SHELL=/bin/sh\n# m h\n17 *\t* * *\troot\tcd / && run-parts\n@reboot ann  start\n',
      '/etc/cron.d/e2scrub_all': '30 3 * * 0 root e2scrub\nnonsense\n',
      '/etc/cron.d/e2scrub_all.dpkg-old': '30 3 * * 0 root old\n',
      '/var/spool/cron/crontabs/ann': '*/5 1-3 * * mon  backup --all\n',
      '/etc/cron.daily/logrotate': '#!/bin/sh\n',
      '/etc/cron.daily/.placeholder': '',
    });
    assert.deepEqual(
      (await timersOf(guest.tree)).map(({ name, manager, schedule, user }) => [manager, schedule, user, name]),
      [
        ['systemd', 'daily, OnBootSec=5min', undefined, 'a.timer'],
        ['cron', '17 * * * *', 'root', 'cd / && run-parts'],
        ['cron', '@reboot', 'ann', 'start'],
        ['cron', '30 3 * * 0', 'root', 'e2scrub'],
        ['cron', '*/5 1-3 * * mon', 'ann', 'backup --all'],
        ['cron', '@daily', 'root', 'logrotate'],
      ],
    );
  });
});

describe('enabledServices beside systemctl', { skip: skipWithout('mke2fs', 'systemctl') }, () => {
  test('has the units of this machine that systemctl calls enabled, with their presets', async (t) => {
    const guest = await guestOf(t, (directory) => {
      const places = ['/etc/systemd/system', '/usr/lib/systemd/system', '/usr/lib/systemd/system-preset'];
      for (const path of places.filter((each) => fs.existsSync(each))) {
        fs.cpSync(path, join(directory, path), { recursive: true, verbatimSymlinks: true });
      }
      fs.symlinkSync('usr/lib', join(directory, 'lib'));
    });
    const args = ['--root=/', 'list-unit-files', '--no-pager', '--no-legend', '--state=enabled'];
    const printed = execFileSync('systemctl', args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
    const theirs = printed.split('\n').flatMap((line) => {
      const [unit, , preset] = line.trim().split(/\s+/);
      return unit ? [`${unit} ${preset?.replace(/d$/, '')}`] : [];
    });
    const ours = (await enabledServices(guest.tree))
      .filter(({ manager }) => manager === 'systemd')
      .map(({ name, preset }) => `${name.replace(/@[^.]+\./, '@.')} ${preset}`);
    assert.ok(theirs.length > 0);
    assert.deepEqual([...new Set(ours)].toSorted(), theirs.toSorted());
  });
});
