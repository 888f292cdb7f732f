# SPDX-License-Identifier: Apache-2.0
"""mx.gluon.rnn: recurrent layers and cells."""
from .cell import GRUCell, HybridRecurrentCell, LSTMCell, RecurrentCell, RNNCell
from .layer import GRU, LSTM, RNN
from .modifier import BidirectionalCell, DropoutCell, HybridSequentialRNNCell, ModifierCell, ResidualCell, SequentialRNNCell, ZoneoutCell

__all__ = ["BidirectionalCell", "DropoutCell", "GRU", "GRUCell", "HybridRecurrentCell", "HybridSequentialRNNCell", "LSTM", "LSTMCell", "ModifierCell", "RNN",
           "RNNCell", "RecurrentCell", "ResidualCell", "SequentialRNNCell", "ZoneoutCell"]
