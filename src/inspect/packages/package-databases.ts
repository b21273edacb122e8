/** Where apk's database stands; it moved in 2025. */
export const apkDatabases: readonly string[] = ['/usr/lib/apk/db/installed', '/lib/apk/db/installed'];

/** The directory in which pacman has a directory for each package. */
export const pacmanDatabase = '/var/lib/pacman/local';

/** Where rpm's database may stand, by distribution and year; and as what. */
export const rpmDatabases: readonly string[] = ['/usr/lib/sysimage/rpm', '/var/lib/rpm', '/usr/share/rpm'].flatMap(
  (directory) => ['rpmdb.sqlite', 'Packages.db', 'Packages'].map((name) => `${directory}/${name}`),
);

/** dpkg's directory. */
export const dpkgDirectory = '/var/lib/dpkg';
