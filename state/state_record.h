// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_RECORD_H
#define ROWSIEVE_STATE_RECORD_H

#include "state_codec.h"
#include "state_dataset.h"
#include "state_delivery.h"

/* The fields of each record that are not in its key. The decoder keeps what is damaged; look at its end. */

void state_record_put_watermark(struct state_encoder *encoder, const struct state_watermark *watermark);
void state_record_get_watermark(struct state_decoder *decoder, struct state_watermark *watermark);
void state_record_put_dataset(struct state_encoder *encoder, const struct state_dataset *dataset);
void state_record_get_dataset(struct state_decoder *decoder, struct state_dataset *dataset);

void state_record_put_delivery(struct state_encoder *encoder, const struct state_delivery *delivery);
void state_record_get_delivery(struct state_decoder *decoder, struct state_delivery *delivery);

void state_record_put_member(struct state_encoder *encoder, const struct state_member *member);
void state_record_get_member(struct state_decoder *decoder, struct state_member *member);

void state_record_put_content(struct state_encoder *encoder, const struct state_content *content);
void state_record_get_content(struct state_decoder *decoder, struct state_content *content);

#endif
