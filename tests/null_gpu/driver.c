// The driver beside runtime.c; what is not defined here returns 0.
#include <cuda.h>
#include <stdlib.h>
#include <string.h>
CUresult cuInit(unsigned f) { return 0; }
CUresult cuDevicePrimaryCtxGetState(CUdevice d, unsigned *f, int *a) {
    if (f)
        *f = 0;
    *a = 1;
    return 0;
}
CUresult cuDeviceGetCount(int *n) {
    *n = 1;
    return 0;
}
CUresult cuDeviceGet(CUdevice *d, int i) {
    *d = 0;
    return 0;
}
CUresult cuDriverGetVersion(int *v) {
    *v = 13000;
    return 0;
}
CUresult cuCtxGetCurrent(CUcontext *c) {
    *c = (void *)16;
    return 0;
}
CUresult cuGetErrorString(CUresult r, const char **s) {
    *s = "null";
    return 0;
}
CUresult cuDeviceGetAttribute(int *v, CUdevice_attribute a, CUdevice d) {
    switch (a) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
        *v = 9;
        break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
        *v = 0;
        break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
        *v = 132;
        break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
        *v = 232448;
        break;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE:
        *v = 32;
        break;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
        *v = 1024;
        break;
    default:
        *v = 65536;
    }
    return 0;
}
CUresult cuModuleLoadData(CUmodule *m, const void *p) {
    *m = (void *)16;
    return 0;
}
CUresult cuModuleGetFunction(CUfunction *f, CUmodule m, const char *n) {
    *f = (void *)32;
    return 0;
}
CUresult cuFuncGetAttribute(int *v, CUfunction_attribute a, CUfunction f) {
    *v = a == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? 1024 : 0;
    return 0;
}
