import { testImageFormat } from '../conformance/image-format.ts';
import { rawFormat } from './raw.ts';

testImageFormat(rawFormat, { detectsTruncation: false, sparse: false });
