"""Removes channels from the encoder of a trained model, and fine-tunes what is left to its answers.

follow      which layers make a channel, carry it on and read it          channels, layer_rules, follow
select      the channels with the weakest filters, up to a share of cost  select
rebuild     a smaller Keras model with the weights that are left          rebuild
fine-tune   against the answers of the trained model, without labels      fine_tuning
prune       the steps together                                            prune
"""
