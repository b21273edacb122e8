import { testImageFormat } from '../../conformance/image-format.ts';
import { vmdkFormat } from './vmdk.ts';

// With a content id of its own each time, no image would be the same as another.
const cid = '1234abcd';

testImageFormat(vmdkFormat, { sizeUnit: 512, ways: { streamOptimized: { options: { cid } } } });
// Both copies of all tables of a terabyte take 128 MiB.
testImageFormat(vmdkFormat, {
  sizeUnit: 512,
  sparse: false,
  ways: { monolithicSparse: { options: { cid, subformat: 'monolithicSparse' } } },
});
