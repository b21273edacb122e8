import { testImageFormat } from '../../conformance/image-format.ts';
import { vhdFormat } from './vhd.ts';

testImageFormat(vhdFormat, {
  sizeUnit: 512,
  reproducible: false,
  ways: { dynamic: {}, 'blocks of 512 KiB': { clusterSize: 2 ** 19 } },
});

testImageFormat(vhdFormat, {
  sizeUnit: 512,
  reproducible: false,
  sparse: false,
  ways: { fixed: { options: { subformat: 'fixed' } } },
});
