# SPDX-License-Identifier: BSD-2-Clause
# Devices: what is portable of them, and the virtio driver over a device in software.
set(dev ${CMAKE_SOURCE_DIR}/kernel/dev)
eidolon_host_test(block_device_test SOURCES block_device_test.c LIBRARIES host_block)
eidolon_host_test(keyboard_decode_test SOURCES keyboard_decode_test.c LIBRARIES host_keyboard)
eidolon_host_test(virtio_blk_test
    SOURCES virtio_blk_test.c fake_virtio.c
            ${dev}/virtio_blk.c ${dev}/virtio_disk.c ${dev}/virtio_last.c ${dev}/virtio_ring.c ${dev}/virtio_pci.c ${dev}/block_driver.c
    LIBRARIES host_block)
