/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/plane_encode.h"

#include <string.h>

#include "wherry/ctl.h"

size_t plane_encode_volume(uint8_t *buf, uint32_t id, const struct volume_row *row, const struct backing *backing)
{
	struct wherry_ctl_volume_put put = {
		.id = row->id,
		.generation = row->generation,
		.backend = (uint8_t)row->backend,
		.size_bytes = row->size_bytes,
		.block_bytes = row->block_bytes,
		.align_bytes = backing ? backing->align_bytes : 1,
		.memory_align_bytes = backing ? backing->memory_align_bytes : 1,
	};

	put.flags = (row->read_only ? WHERRY_VOLUME_READ_ONLY : 0) | (row->write_back ? WHERRY_VOLUME_WRITE_BACK : 0);
	if (backing && row->backend == WHERRY_BACKEND_FILE)
		put.flags |= (backing->direct ? WHERRY_VOLUME_DIRECT : 0) |
			     (backing->block_device ? WHERRY_VOLUME_BLOCK_DEVICE : 0);
	memcpy(put.name, row->name, sizeof put.name);
	return wherry_ctl_put_volume_put(buf, WHERRY_CTL_MESSAGE_BYTES_MAX, id, &put);
}

size_t plane_encode_fault(uint8_t *buf, uint32_t id, const struct volume_row *row)
{
	const struct volume_fault *f = &row->fault;
	const struct wherry_ctl_fault_put put = {
		.volume_id = row->id,
		.seed = f->seed,
		.read_error_ppm = f->read_error_ppm,
		.write_error_ppm = f->write_error_ppm,
		.flush_error_ppm = f->flush_error_ppm,
		.no_space_ppm = f->no_space_ppm,
		.delay_ppm = f->delay_ppm,
		.delay_us = f->delay_us,
		.bad_offset_bytes = f->bad_offset_bytes,
		.bad_length_bytes = f->bad_length_bytes,
	};

	return wherry_ctl_put_fault_put(buf, WHERRY_CTL_MESSAGE_BYTES_MAX, id, &put);
}

size_t plane_encode_online(uint8_t *buf, uint32_t id, const struct volume_row *row)
{
	const struct wherry_ctl_volume_online online = {.id = row->id, .online = row->online};

	return wherry_ctl_put_volume_online(buf, WHERRY_CTL_MESSAGE_BYTES_MAX, id, &online);
}

size_t plane_encode_export(uint8_t *buf, uint32_t id, const struct export_row *row, const struct port_row *ports,
			   unsigned port_count)
{
	struct wherry_ctl_aoe_export_put put = {
		.id = row->id,
		.generation = row->generation,
		.volume_id = row->volume_id,
		.shelf = row->shelf,
		.slot = row->slot,
		.buffer_count = row->buffer_count,
		.sectors_max = row->sectors_max,
		.model = PLANE_MODEL,
		.state_generation = row->state_generation,
	};

	put.flags = (row->read_only ? WHERRY_AOE_READ_ONLY : 0) | (row->remote_mask ? WHERRY_AOE_REMOTE_MASK : 0) |
		    (row->remote_config ? WHERRY_AOE_REMOTE_CONFIG : 0) |
		    (row->remote_force_reserve ? WHERRY_AOE_REMOTE_FORCE_RESERVE : 0);
	memcpy(put.serial, row->serial, sizeof put.serial);
	for (unsigned i = 0; i < row->port_count; i++)
		for (unsigned j = 0; j < port_count; j++)
			if (ports[j].id == row->port_ids[i])
				put.ports.v[put.ports.count++] = (uint16_t)j;
	put.vlans.count = row->vlan_count;
	memcpy(put.vlans.v, row->vlans, row->vlan_count * sizeof row->vlans[0]);
	put.config.len = row->config_bytes;
	memcpy(put.config.b, row->config, row->config_bytes);
	put.mask.count = row->mask_count;
	memcpy(put.mask.mac, row->mask, row->mask_count * sizeof row->mask[0]);
	put.reserve.count = row->reserve_count;
	memcpy(put.reserve.mac, row->reserve, row->reserve_count * sizeof row->reserve[0]);
	/* Ports that an export names exist (a foreign key); none left would mean "every port". */
	if (row->port_count != put.ports.count)
		return 0;
	return wherry_ctl_put_aoe_export_put(buf, WHERRY_CTL_MESSAGE_BYTES_MAX, id, &put);
}

size_t plane_encode_state(uint8_t *buf, uint32_t id, const struct export_row *row)
{
	struct wherry_ctl_aoe_state_put put = {.export_id = row->id, .state_generation = row->state_generation};

	put.config.len = row->config_bytes;
	memcpy(put.config.b, row->config, row->config_bytes);
	put.mask.count = row->mask_count;
	memcpy(put.mask.mac, row->mask, row->mask_count * sizeof row->mask[0]);
	put.reserve.count = row->reserve_count;
	memcpy(put.reserve.mac, row->reserve, row->reserve_count * sizeof row->reserve[0]);
	return wherry_ctl_put_aoe_state_put(buf, WHERRY_CTL_MESSAGE_BYTES_MAX, id, &put);
}
