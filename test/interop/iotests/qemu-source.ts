import { type PackageSource, sourcePackage } from '../source-package.ts';

/** The parts of QEMU's source package that its file tests need (24 MB to download). */
export async function qemuSource(): Promise<PackageSource> {
  return await sourcePackage({ name: 'qemu', title: 'QEMU', parts: ['*/tests/qemu-iotests', '*/python/qemu'] });
}
